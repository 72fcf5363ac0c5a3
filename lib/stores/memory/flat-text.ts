/** Texts up to this length are copied without an allocation besides the copy. */
const SCRATCH_LENGTH = 512
const scratch = Buffer.allocUnsafeSlow(2 * SCRATCH_LENGTH)

/**
 * A copy of a text that owns its characters.
 *
 * V8 represents a concatenation as a tree and a substring as a view; kept as a key, either would keep its parts alive:
 * a whole header line for one address in it.
 */
export function flatText (text: string): string {
  const buffer = text.length <= SCRATCH_LENGTH ? scratch : Buffer.allocUnsafeSlow(2 * text.length)
  const narrow = buffer.toString('latin1', 0, buffer.write(text, 0, 'latin1'))
  // Latin-1 keeps the low byte of each unit; where that was not all of it, take both bytes.
  return narrow === text ? narrow : buffer.toString('utf16le', 0, buffer.write(text, 0, 'utf16le'))
}
