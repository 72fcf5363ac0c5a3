/**
 * HalfSipHash-1-3 (Aumasson, Bernstein) of a text, 32 bits, signed.
 *
 * Clients choose partitions. Without the 64-bit key they cannot choose texts that meet in one run of slots, which
 * would make every check walk that run.
 */
export function hashText (text: string, key0: number, key1: number): number {
  return hashNarrow(text, key0, key1) ?? hashWide(text, key0, key1)
}

const NARROW_END = 0xff
const WIDE_END = 0xfe

/** The hash of the text's Latin-1 bytes, `null` when it has other characters. */
function hashNarrow (text: string, key0: number, key1: number): number | null {
  let v0 = key0 | 0
  let v1 = key1 | 0
  let v2 = 0x6c796765 ^ key0
  let v3 = 0x74656462 ^ key1
  const length = text.length
  const whole = length & ~3
  let seen = 0
  for (let at = 0; at <= whole; at += 4) {
    let word = length << 24
    if (at < whole) {
      const a = text.charCodeAt(at)
      const b = text.charCodeAt(at + 1)
      const c = text.charCodeAt(at + 2)
      const d = text.charCodeAt(at + 3)
      seen |= a | b | c | d
      word = a | b << 8 | c << 16 | d << 24
    } else {
      for (let rest = at; rest < length; rest++) {
        const code = text.charCodeAt(rest)
        seen |= code
        word |= code << ((rest - at) << 3)
      }
    }
    v3 ^= word
    v0 = (v0 + v1) | 0; v1 = (v1 << 5 | v1 >>> 27) ^ v0; v0 = v0 << 16 | v0 >>> 16
    v2 = (v2 + v3) | 0; v3 = (v3 << 8 | v3 >>> 24) ^ v2
    v0 = (v0 + v3) | 0; v3 = (v3 << 7 | v3 >>> 25) ^ v0
    v2 = (v2 + v1) | 0; v1 = (v1 << 13 | v1 >>> 19) ^ v2; v2 = v2 << 16 | v2 >>> 16
    v0 ^= word
  }
  return seen > 0xff ? null : finish(v0, v1, v2, v3, NARROW_END)
}

/** The hash of the text's UTF-16LE bytes, with an end of its own: no Latin-1 text can be made to equal it. */
function hashWide (text: string, key0: number, key1: number): number {
  let v0 = key0 | 0
  let v1 = key1 | 0
  let v2 = 0x6c796765 ^ key0
  let v3 = 0x74656462 ^ key1
  const length = text.length
  const whole = length & ~1
  for (let at = 0; at <= whole; at += 2) {
    const word = at < whole
      ? text.charCodeAt(at) | text.charCodeAt(at + 1) << 16
      : length << 25 | (at < length ? text.charCodeAt(at) : 0)
    v3 ^= word
    v0 = (v0 + v1) | 0; v1 = (v1 << 5 | v1 >>> 27) ^ v0; v0 = v0 << 16 | v0 >>> 16
    v2 = (v2 + v3) | 0; v3 = (v3 << 8 | v3 >>> 24) ^ v2
    v0 = (v0 + v3) | 0; v3 = (v3 << 7 | v3 >>> 25) ^ v0
    v2 = (v2 + v1) | 0; v1 = (v1 << 13 | v1 >>> 19) ^ v2; v2 = v2 << 16 | v2 >>> 16
    v0 ^= word
  }
  return finish(v0, v1, v2, v3, WIDE_END)
}

function finish (v0: number, v1: number, v2: number, v3: number, end: number): number {
  v2 ^= end
  for (let round = 0; round < 3; round++) {
    v0 = (v0 + v1) | 0; v1 = (v1 << 5 | v1 >>> 27) ^ v0; v0 = v0 << 16 | v0 >>> 16
    v2 = (v2 + v3) | 0; v3 = (v3 << 8 | v3 >>> 24) ^ v2
    v0 = (v0 + v3) | 0; v3 = (v3 << 7 | v3 >>> 25) ^ v0
    v2 = (v2 + v1) | 0; v1 = (v1 << 13 | v1 >>> 19) ^ v2; v2 = v2 << 16 | v2 >>> 16
  }
  return v1 ^ v3
}
