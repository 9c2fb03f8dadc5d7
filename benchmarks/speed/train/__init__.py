"""Does training wait for its images, and how soon does it start on all of GLDv2?

- `loop`: images a second of loading alone, of the model alone, and of both, beside the plain loop,
  which makes a loader for each epoch. `small` is what a CPU trains on, photographs of 224 pixels;
  `large` is GLDv2's, of 800 x 600. The pictures are drawn, the weights random: they cost the same.
  On a CPU both share the cores, so that a loop can have no more than `shared_cores_bound`.
- `full size`: 970,981 images of 46,593 landmarks, made up, whose rows name a few files again and
  again: from the start of the program to its first batch, and what an epoch's order takes.

    python -m hgld.benchmarks.speed.train --out train.json
"""
