"""The names of the helpers that rewritten code calls: no script can write them (``rules.py``)."""

from __future__ import annotations

GETATTR, SETATTR, DELATTR, SETITEM = "__sg_getattr__", "__sg_setattr__", "__sg_delattr__", "__sg_setitem__"
BIND, APPEND, ENTER, RETURN = "__sg_bind__", "__sg_append__", "__sg_enter__", "__sg_return__"
INPLACE, POWER, SHIFT, EXACT = "__sg_inplace__", "__sg_power__", "__sg_shift__", "__sg_exact__"
IMPORT, FROM, CHECK, SCOPE = "__sg_import__", "__sg_from__", "__sg_check__", "__sg_scope__"
STAR, ROUND, LOOP, GIVEN = "__sg_star__", "__sg_round__", "__sg_loop__", "__sg_given__"
TEST, CHOSEN, LEFT, HELD = "__sg_test__", "__sg_chosen__", "__sg_left__", "__sg_held__"
