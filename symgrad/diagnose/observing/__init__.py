"""What there is, and what is true.

* ``subject``: one graph in which the forward pass and the user's own derivative stand side by side
* ``branches``: points at which the script's comparisons come out as they did
* ``retraced``: states that are gone through once more, from the same number
* ``truth``: every cotangent, contribution, tangent and local derivative, as values
* ``recognising``: functions that are written out
* ``slopes``: the slopes of what is written out in several steps without a name
* ``match``: which of these a value is
* ``replay``: what the derivation computes, and would compute if some of its assignments were right
"""
