import functools, itertools, math, operator
from collections import OrderedDict, defaultdict, deque, namedtuple, Counter
counter = 0
def bump(by=1):
    global counter
    counter += by
    return counter
def outer():
    total = 0.0
    def add(x):
        nonlocal total
        total += x
        return total
    return add
add = outer()
print(add(1.5), add(2.5), bump(), bump(by=3))
def gen(n):
    x = 1.0
    while True:
        if n <= 0:
            return
        n -= 1
        yield x
        x *= 0.5
print(list(gen(4)), sum(gen(3)), max(gen(3)), min(*gen(3)))
P = namedtuple('P', ['x', 'y'])
p = P(1.5, y=2.5)
print(p.x * p.y, p[0], len(p), tuple(p))
d = defaultdict(float)
d['a'] += 1.5
d['b'] -= 0.5
od = OrderedDict([('z', 1), ('a', 2.0)])
q = deque(maxlen=2)
for i in range(3): q.append(i * 0.5)
print(sorted(d.items()), list(od.items()), list(q), Counter("aab").most_common(1))
print(functools.reduce(operator.mul, [1.5, 2.0, 3.0]), list(itertools.accumulate([1, 2, 3])), list(itertools.chain.from_iterable([[1], [2]])))
add3 = functools.partial(lambda a, b, c=0: a + b + c, 1.0, c=2)
print(add3(5))
@functools.lru_cache(maxsize=None)
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
print(fib(20))
def deco(f):
    @functools.wraps(f)
    def inner(*args, **kw):
        return 2 * f(*args, **kw)
    return inner
@deco
def g(x, *rest, scale=1.0, **kw):
    return x * scale + sum(rest) + len(kw)
print(g(1.5, 2, 3, scale=2.0, z=1))
try:
    try:
        1 / 0
    except ZeroDivisionError as e:
        print("caught", e, type(e).__name__)
        raise ValueError("again") from e
    finally:
        print("finally")
except (TypeError, ValueError) as e:
    print(repr(e), e.args)
else:
    print("never")
x = [1, 2, 3, 4]
x[1:3] = [9, 9, 9]
x[0] += 5
del x[-1]
a, *b, c = x
print(x, a, b, c, x[::-1], {v: k for k, v in enumerate("ab")}, {1, 2} | {3})
m = [[0.0] * 2 for _ in range(2)]
m[0][1] += 1.5
m[1][0], m[1][1] = m[0][1], 7
print(m, any(v > 1 for r in m for v in r), all([]))
s = "name: {:>8.3f}|{!r}|{k}".format(math.pi, "q", k=1)
print(s, f"{3.14159:.2f} {'x':>3} {10:#x} {2/3!r:.5}", "abc".upper().split("B"), ",".join(map(str, [1, 2.5])))
class Base:
    count = 0
    def __init__(self, v):
        self.v = v
        Base.count += 1
    @property
    def double(self):
        return self.v * 2
    @double.setter
    def double(self, val):
        self.v = val / 2
    @staticmethod
    def st(x): return x + 1
    @classmethod
    def make(cls, v): return cls(v)
    def __len__(self): return 3
    def __getitem__(self, i): return self.v * i
    def __call__(self, x): return self.v * x
    def __str__(self): return f"<{self.v}>"
class Child(Base):
    def __init__(self, v, w=0.5):
        super().__init__(v)
        self.w = w
    def both(self): return self.double + self.w
k = Child.make(2.0)
k.double = 10.0
print(k.both(), Base.count, len(k), k[3], k(1.5), str(k), Child.st(1), isinstance(k, Base), hasattr(k, "w"), hasattr(k, "zz"), getattr(k, "zz", None))
setattr(k, "zz", 4.0); print(k.zz)
i = 0
while i < 10:
    i += 1
    if i % 2: continue
    if i > 6: break
else:
    print("no break")
print(i, i // 2, i % 3, -i, i << 2, i >> 1, i & 6, i | 1, i ^ 3, ~i, divmod(i, 3), i ** 2, 2 ** -1, 7 / 2, 1e3, round(2.567, 2), round(2.5), int(3.7), float("1.5"), bool(0.0))
if (n := len(x)) > 3: print("walrus", n)
print([y := 1.5, y**2], (lambda *a, **k: (a, k))(1, b=2))
with_none = None
print(with_none is None, not None, 1 < 2 < 3, 1 if 0 else 2, "a" in "abc", 3 not in [1])
assert 1.0 == 1
for i, (u, v) in zip(range(2), [(1.5, 2.5), (3.5, 4.5)]):
    print(i, u * v)
else:
    print("done")
def early(x):
    for j in range(5):
        if j * x > 2:
            return j
    return -1
print(early(0.9), early(0.1))
print(sorted([3.5, 1.5, 2.5], reverse=True), sorted(["b", "A"], key=str.lower), list(reversed([1, 2])), list(filter(None, [0, 1.5])))
if __name__ == "__main__":
    print("main")
