"""The parts of tools/bench_report: data (files to rows), style, bars, curves (rows to SVG), page (all of it to HTML)."""
