"""Changes to the text of a line of arrays, judged by what they do to the whole pass.

* ``board``: the derivation, computed again with changes in it; ``narrow``: a few columns of its results
* ``lines``, ``reader``, ``passage``: what is known at a line, and what could be written at each of its places
* ``arguments``, ``lapses``, ``remnants``, ``jacobians``, ``slices``, ``divided``: further things that could be written
* ``blameless``, ``idle``: what no change may be blamed on; what is worked out and never used
* ``edits``: a change, and what came of it; ``ratios``: results that are all off by one number
* ``exchanges``, ``counts``, ``handing``: names that changed places, other counts, other variables given to functions
* ``outright``, ``missing``: lines that are wrong as wholes, lines that are missing
* ``between``, ``partly``: the values between the loss and the results; how much of a result is right
* ``attempts``, ``placing``, ``several``, ``whole``: changes of one line; lines that are wrong as wholes; changes that
  are needed together; from them to the mistakes
"""
