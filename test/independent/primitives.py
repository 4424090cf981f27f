"""Hashes and curves, in plain Python: nothing here is shared with the node, nor comes from a library it uses.

Written for clarity and for tests: not constant-time, not for real keys. SHA-256, SHA-512 and HMAC are Python's own.
"""

import hashlib
import hmac

MASK32 = 0xFFFFFFFF
MASK64 = 0xFFFFFFFFFFFFFFFF

# ---------------------------------------------------------------------------------------------------------- BLAKE3

_IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_MIX = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
        (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8


def _schedule():
    """The word order of each of the seven rounds."""
    order, rounds = list(range(16)), []
    for _ in range(7):
        rounds.append(tuple(order))
        order = [order[i] for i in _PERMUTATION]
    return rounds


_ROUNDS = _schedule()


def _compress(chaining, words, counter, length, flags):
    """The first eight words of the compression function, enough for a 32-byte hash."""
    v = list(chaining) + list(_IV[:4]) + [counter & MASK32, counter >> 32 & MASK32, length, flags]
    for order in _ROUNDS:
        for step, (a, b, c, d) in enumerate(_MIX):
            x, y = words[order[2 * step]], words[order[2 * step + 1]]
            va = (v[a] + v[b] + x) & MASK32
            vd = v[d] ^ va
            vd = (vd >> 16 | vd << 16) & MASK32
            vc = (v[c] + vd) & MASK32
            vb = v[b] ^ vc
            vb = (vb >> 12 | vb << 20) & MASK32
            va = (va + vb + y) & MASK32
            vd ^= va
            vd = (vd >> 8 | vd << 24) & MASK32
            vc = (vc + vd) & MASK32
            vb ^= vc
            v[a], v[b], v[c], v[d] = va, (vb >> 7 | vb << 25) & MASK32, vc, vd
    return tuple(v[i] ^ v[i + 8] for i in range(8))


def _words(block):
    block = block.ljust(64, b"\0")
    return tuple(int.from_bytes(block[i:i + 4], "little") for i in range(0, 64, 4))


def _chunk(data, index, root):
    blocks = [data[i:i + 64] for i in range(0, len(data), 64)] or [b""]
    value = _IV
    for i, block in enumerate(blocks):
        last = i == len(blocks) - 1
        flags = (_CHUNK_START if i == 0 else 0) | (_CHUNK_END | root if last else 0)
        value = _compress(value, _words(block), index, len(block), flags)
    return value


def _tree(data, index, root):
    """The chaining value of `data`, whose first chunk has this index; a left subtree is the largest that is full."""
    if len(data) <= 1024:
        return _chunk(data, index, root)
    left = 1
    while left * 2 * 1024 < len(data):
        left *= 2
    children = _tree(data[:left * 1024], index, 0) + _tree(data[left * 1024:], index + left, 0)
    return _compress(_IV, children, 0, 64, _PARENT | root)


def blake3(data):
    """32 bytes."""
    return b"".join(word.to_bytes(4, "little") for word in _tree(bytes(data), 0, _ROOT))


# ------------------------------------------------------------------------------------------------------- Keccak-256

def _keccak_constants():
    """Round constants from the shift register of the Keccak specification, and the rotation of each lane."""
    constants, register = [], 1
    for _ in range(24):
        value = 0
        for j in range(7):
            if register & 1:
                value |= 1 << (2 ** j - 1)
            register = register << 1 ^ (0x171 if register & 0x80 else 0)
        constants.append(value)
    rotations, x, y = [0] * 25, 1, 0
    for t in range(24):
        rotations[x + 5 * y] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    return constants, rotations


_KECCAK, _ROTATIONS = _keccak_constants()


def _rotate(value, by):
    return (value << by | value >> (64 - by)) & MASK64


def _keccak_f(a):
    for constant in _KECCAK:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[(x + 4) % 5] ^ _rotate(c[(x + 1) % 5], 1) for x in range(5)]
        b = [0] * 25
        for y in range(5):
            for x in range(5):
                b[y + 5 * ((2 * x + 3 * y) % 5)] = _rotate(a[x + 5 * y] ^ d[x], _ROTATIONS[x + 5 * y])
        a = [b[i] ^ (~b[(i + 1) % 5 + i // 5 * 5] & b[(i + 2) % 5 + i // 5 * 5] & MASK64) for i in range(25)]
        a[0] ^= constant
    return a


def keccak256(data):
    """32 bytes: Keccak as Ethereum uses it, with the padding from before SHA-3."""
    rate = 136
    padded = bytearray(data) + b"\x01" + bytes(-(len(data) + 1) % rate)
    padded[-1] |= 0x80
    state = [0] * 25
    for start in range(0, len(padded), rate):
        for i in range(rate // 8):
            state[i] ^= int.from_bytes(padded[start + 8 * i:start + 8 * i + 8], "little")
        state = _keccak_f(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])


# -------------------------------------------------------------------------------------------------------- secp256k1

SECP_P = 2 ** 256 - 2 ** 32 - 977
SECP_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_SECP_G = (0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
           0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8)


def _double(point):
    x, y, z = point
    square = y * y % SECP_P
    s = 4 * x * square % SECP_P
    m = 3 * x * x % SECP_P
    x2 = (m * m - 2 * s) % SECP_P
    return x2, (m * (s - x2) - 8 * square * square) % SECP_P, 2 * y * z % SECP_P


def _add(point, other):
    """Jacobian plus Jacobian; z = 0 is the point at infinity."""
    if not point[2]:
        return other
    if not other[2]:
        return point
    (x1, y1, z1), (x2, y2, z2) = point, other
    zz1, zz2 = z1 * z1 % SECP_P, z2 * z2 % SECP_P
    u1, u2 = x1 * zz2 % SECP_P, x2 * zz1 % SECP_P
    s1, s2 = y1 * zz2 * z2 % SECP_P, y2 * zz1 * z1 % SECP_P
    if u1 == u2:
        return _double(point) if s1 == s2 else (1, 1, 0)
    h, r = u2 - u1, s2 - s1
    hh = h * h % SECP_P
    hhh, v = h * hh % SECP_P, u1 * hh % SECP_P
    x3 = (r * r - hhh - 2 * v) % SECP_P
    return x3, (r * (v - x3) - s1 * hhh) % SECP_P, h * z1 * z2 % SECP_P


def _multiply(scalar):
    """scalar times the generator, affine."""
    total, addend = (1, 1, 0), (*_SECP_G, 1)
    while scalar:
        if scalar & 1:
            total = _add(total, addend)
        addend = _double(addend)
        scalar >>= 1
    inverse = pow(total[2], -1, SECP_P)
    return total[0] * inverse ** 2 % SECP_P, total[1] * inverse ** 3 % SECP_P


def public_key(secret):
    """The 64 bytes x || y of a secret of 32 bytes."""
    x, y = _multiply(int.from_bytes(secret, "big"))
    return x.to_bytes(32, "big") + y.to_bytes(32, "big")


def _nonces(secret, digest):
    """The candidates of RFC 6979 §3.2 with SHA-256."""
    reduced = (int.from_bytes(digest, "big") % SECP_N).to_bytes(32, "big")
    k, v = bytes(32), b"\x01" * 32
    for separator in (b"\0", b"\x01"):
        k = hmac.new(k, v + separator + secret + reduced, hashlib.sha256).digest()
        v = hmac.new(k, v, hashlib.sha256).digest()
    while True:
        v = hmac.new(k, v, hashlib.sha256).digest()
        yield int.from_bytes(v, "big")
        k = hmac.new(k, v + b"\0", hashlib.sha256).digest()
        v = hmac.new(k, v, hashlib.sha256).digest()


def ecdsa_sign(secret, digest):
    """(r, s, parity of R's y): deterministic, low s."""
    d, e = int.from_bytes(secret, "big"), int.from_bytes(digest, "big")
    for k in _nonces(secret, digest):
        if not 0 < k < SECP_N:
            continue
        x, y = _multiply(k)
        r = x % SECP_N
        s = pow(k, -1, SECP_N) * (e + r * d) % SECP_N
        if x >= SECP_N or r == 0 or s == 0:
            continue
        return (r, s, y & 1) if s <= SECP_N // 2 else (r, SECP_N - s, 1 - (y & 1))


# ---------------------------------------------------------------------------------------------------------- Ed25519

ED_P = 2 ** 255 - 19
ED_L = 2 ** 252 + 27742317777372353535851937790883648493
_ED_D = -121665 * pow(121666, -1, ED_P) % ED_P
_ED_ROOT = pow(2, (ED_P - 1) // 4, ED_P)
_ED_ZERO = (0, 1, 1, 0)


def _ed_decode(data):
    """The point of a canonical encoding in extended coordinates, or None."""
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    sign = data[31] >> 7
    if y >= ED_P:
        return None
    u, v = (y * y - 1) % ED_P, (_ED_D * y * y + 1) % ED_P
    square = u * pow(v, -1, ED_P) % ED_P
    x = pow(square, (ED_P + 3) // 8, ED_P)
    if x * x % ED_P != square:
        x = x * _ED_ROOT % ED_P
    if x * x % ED_P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = ED_P - x
    return x, y, 1, x * y % ED_P


def _ed_add(left, right):
    x1, y1, z1, t1 = left
    x2, y2, z2, t2 = right
    a, b = (y1 - x1) * (y2 - x2) % ED_P, (y1 + x1) * (y2 + x2) % ED_P
    c, d = 2 * t1 * t2 * _ED_D % ED_P, 2 * z1 * z2 % ED_P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % ED_P, g * h % ED_P, f * g % ED_P, e * h % ED_P


def _ed_multiply(point, scalar):
    total = _ED_ZERO
    while scalar:
        if scalar & 1:
            total = _ed_add(total, point)
        point = _ed_add(point, point)
        scalar >>= 1
    return total


def _ed_equal(left, right):
    return (left[0] * right[2] - right[0] * left[2]) % ED_P == 0 and \
        (left[1] * right[2] - right[1] * left[2]) % ED_P == 0


_ED_BASE = _ed_decode((4 * pow(5, -1, ED_P) % ED_P).to_bytes(32, "little"))


def ed25519_verify(key, message, signature):
    """Strict: canonical S and points, no point of small order, and the equation without the cofactor."""
    if len(key) != 32 or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    a, r = _ed_decode(key), _ed_decode(signature[:32])
    if s >= ED_L or a is None or r is None:
        return False
    if _ed_equal(_ed_multiply(a, 8), _ED_ZERO) or _ed_equal(_ed_multiply(r, 8), _ED_ZERO):
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % ED_L
    return _ed_equal(_ed_multiply(_ED_BASE, s), _ed_add(r, _ed_multiply(a, k)))


# ----------------------------------------------------------------------------------------------------------- Base58

_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


def base58_decode(text):
    value = 0
    for character in text:
        value = value * 58 + _ALPHABET.index(character)
    zeros = len(text) - len(text.lstrip("1"))
    return bytes(zeros) + value.to_bytes((value.bit_length() + 7) // 8, "big")
