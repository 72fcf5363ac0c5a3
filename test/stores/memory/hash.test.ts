import assert from 'node:assert/strict'
import t from 'tap'
import fc from 'fast-check'
import { TextHasher } from '../../../lib/stores/memory/hash.js'
import { assertProperty } from '../../fixtures/property.js'

function rotate (word: number, by: number): number {
  return word << by | word >>> (32 - by)
}

/** HalfSipHash over bytes as its authors' reference code writes it, with two more words of the last state. */
function halfSipHash (bytes: Uint8Array, key0: number, key1: number, rounds: number, finalRounds: number, end = 0xff): number[] {
  const v = [key0, key1, 0x6c796765 ^ key0, 0x74656462 ^ key1]
  const round = () => {
    v[0] = v[0] + v[1] | 0; v[1] = rotate(v[1], 5); v[1] ^= v[0]; v[0] = rotate(v[0], 16)
    v[2] = v[2] + v[3] | 0; v[3] = rotate(v[3], 8); v[3] ^= v[2]
    v[0] = v[0] + v[3] | 0; v[3] = rotate(v[3], 7); v[3] ^= v[0]
    v[2] = v[2] + v[1] | 0; v[1] = rotate(v[1], 13); v[1] ^= v[2]; v[2] = rotate(v[2], 16)
  }
  const view = new DataView(new ArrayBuffer((bytes.length & ~3) + 4))
  bytes.forEach((byte, i) => view.setUint8(i, byte))
  view.setUint8(view.byteLength - 1, bytes.length & 0xff)
  for (let at = 0; at < view.byteLength; at += 4) {
    const word = view.getInt32(at, true)
    v[3] ^= word
    for (let i = 0; i < rounds; i++) round()
    v[0] ^= word
  }
  v[2] ^= end
  for (let i = 0; i < finalRounds; i++) round()
  return [v[1] ^ v[3], v[0], v[2]]
}

function wordsOf (text: string, key0 = 1, key1 = 2): number[] {
  const hasher = new TextHasher(key0, key1)
  hasher.hash(text)
  return [hasher.word0, hasher.word1, hasher.word2]
}

const latin1 = fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 40 }).map(codes => String.fromCharCode(...codes))

t.test('the reference agrees with the published vector of HalfSipHash-2-4', async (t) => {
  t.equal(halfSipHash(new Uint8Array(0), 0x03020100, 0x07060504, 2, 4)[0], 0x5b9f35a9 | 0)
})

t.test('a Latin-1 text hashes as HalfSipHash-1-4 of its bytes', async () => {
  assertProperty(fc.tuple(latin1, fc.integer(), fc.integer()), 300, ([text, key0, key1]) => {
    const expected = halfSipHash(Buffer.from(text, 'latin1'), key0, key1, 1, 4)
    assert.deepEqual(wordsOf(text, key0, key1), expected)
  })
})

t.test('any other text hashes as HalfSipHash-1-4 of its UTF-16 bytes, with another end', async () => {
  assertProperty(fc.tuple(latin1, fc.integer({ min: 256, max: 0xffff }), latin1), 300, ([before, code, after]) => {
    const text = before + String.fromCharCode(code) + after
    assert.deepEqual(wordsOf(text), halfSipHash(Buffer.from(text, 'utf16le'), 1, 2, 1, 4, 0xfe))
  })
})

t.test('no text shares its hash with the Latin-1 text of its bytes', async (t) => {
  const wide = 'user:\u0139\ud800'
  t.notSame(wordsOf(wide), wordsOf(Buffer.from(wide, 'utf16le').toString('latin1')))
})

t.test('another key gives another hash', async (t) => {
  t.notSame(wordsOf('user:42', 1, 2), wordsOf('user:42', 1, 3))
  t.notSame(wordsOf('user:42', 1, 2), wordsOf('user:42', 0, 2))
})

t.test('a substring hashes like a text of its own', async (t) => {
  const header = `203.0.113.9, ${'198.51.100.7, '.repeat(30)}`
  t.strictSame(wordsOf(header.slice(13, 40)), wordsOf('198.51.100.7, 198.51.100.7,'))
})
