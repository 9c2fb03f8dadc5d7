"""The look of every page of training and benchmarks: one Jinja environment, one style, three plots.

A page is a template that extends `page.html.j2` and imports `plots.html.j2`; it follows light and
dark, wide and narrow, and asks no server for anything. Its plots are made here as marks, and drawn
by a macro of the same name:

- `dots.dots_plot` and `plots.dots`: values with intervals below each other, or bars from 0;
- `chart.draw` and `plots.chart`: curves;
- `heat.heat_table` and `plots.heat`: counts of what was taken for what.
"""
