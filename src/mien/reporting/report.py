def write_report(folder, results, manifest, pixels):
    (folder / "report.html").write_text("x")
