import fc from 'fast-check'

/** One change of a text: at a place, over a length, with a piece. Numbers are taken modulo what fits. */
type Edit = readonly [kind: number, at: number, length: number, piece: string]

const MAX_LENGTH = 20_000

/** Pieces that parsers of text stumble over, whatever they parse. */
const PIECES = [
  '', ' ', '\t', '\0', '\n', '\r\n', '\u00a0', '\u2028', '\ud800', '\u202e', 'é', '💣', '%', '%00', '%2f', '%ff', '\\', '\\u', "'", '"', '`', '__proto__', 'constructor',
  'toString', '-', '--', '+', '.', '..', ',', ',,', ';', ':', '::', '/', '//', '=', '[', ']', '{', '}', '(', ')', '<', '#', '$', '&', '*', '0', '-0', '00', '1', '-1', '0x1',
  '1e9', '1e309', '9007199254740993', '4294967296', '99999999999999999999', '.5', 'NaN', 'Infinity', 'null', 'true', 'undefined', '\u0130', 'ß'
]

/**
 * Hostile texts: damaged forms of valid ones, valid ones in each other, and texts at random. `samples`: valid texts. `pieces`:
 * further pieces that mean something in them.
 */
export function hostileTexts (samples: readonly string[], pieces: readonly string[] = []): fc.Arbitrary<string> {
  const piece = fc.oneof(fc.constantFrom(...PIECES, ...pieces), fc.constantFrom(...samples), fc.string({ unit: 'binary', maxLength: 4 }))
  const edit: fc.Arbitrary<Edit> = fc.tuple(fc.nat(4), fc.nat(1000), fc.nat(40), piece)
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(fc.constantFrom(...samples), fc.array(edit, { maxLength: 6 })).map(([text, edits]) => edits.reduce(change, text)) },
    { weight: 2, arbitrary: fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 80 }) }
  )
}

/** The same for bytes, one in each character. */
export function hostileBytes (samples: readonly string[], pieces: readonly string[] = []): fc.Arbitrary<string> {
  const bytes = (text: string): string => Buffer.from(text).toString('latin1')
  const flips = fc.array(fc.tuple(fc.nat(2000), fc.nat(255)), { maxLength: 8 })
  return fc.tuple(hostileTexts(samples.map(bytes), pieces).map(bytes), fc.boolean(), flips).map(([text, isFlipped, flips]) => {
    if (!isFlipped || text === '') return text
    const flipped = Buffer.from(text, 'latin1')
    for (const [at, byte] of flips) flipped[at % flipped.length] = byte
    return flipped.toString('latin1')
  })
}

function change (text: string, [kind, place, length, piece]: Edit): string {
  const at = text === '' ? 0 : place % text.length
  const [before, part, after] = [text.slice(0, at), text.slice(at, at + length), text.slice(at + length)]
  const changed = [
    before + piece + part + after,
    before + after,
    before + piece + after,
    before + part.repeat(1 + place % 60) + after,
    before
  ][kind]
  return changed.slice(0, MAX_LENGTH)
}
