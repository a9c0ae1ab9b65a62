"""From a run to what is diagnosed: which step is differentiated, what its forward pass is, and what the derivation.

* ``chosen``: the choice itself, out of what the run computed (``prepared``), among ``candidates``; ``further``: other
  results beside the one chosen;
* ``returned``, ``copies``: steps of their own for a value that is handed on, and for two names of one array, at the
  place where a function hands it back (``handing_back``);
* ``rates``, ``afterwards``: moves of parameters in which no step is the gradient, and losses computed after a move;
* ``logarithms``, ``seconds``: derivatives by the logarithm of a parameter, and second derivatives;
* ``curves``: x and y that are both made of a parameter;
* ``states``, ``duals``: a state that a loop carries with its derivatives, and dual numbers;
* ``upstream``: results that are arrays, with the gradient that the user starts from.
"""
