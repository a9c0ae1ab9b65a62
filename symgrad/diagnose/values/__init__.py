"""Values at several points at once: the user's point first, then random ones near it.

* ``vectors``: numbers
* ``surveys``: many numbers at once, in floats
* ``shaped``: arrays
* ``sizes``: arrays that would be too large to be computed
* ``glimpses``: many arrays at once, at one point
* ``closeness``: when two arrays are the same up to rounding
* ``rests``: what cancels leaves exactly zero
* ``entries``: which entries of an array are wrong, in words
* ``quiet``: NumPy without its warnings
"""
