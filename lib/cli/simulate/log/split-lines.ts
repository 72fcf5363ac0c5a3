import { isAscii } from 'node:buffer'
import type { Block } from './log-entry.js'

/** Longer lines are skipped: no server logs a URL of that length. */
const MAX_LINE_BYTES = 65_536

const LINE_FEED = '\n'
const CARRIAGE_RETURN = 0x0d

/** Receives each line by its positions in a block. `isTooLong`: the line was skipped, and its positions have its beginning. */
export type LineListener = (block: Block, start: number, end: number, isTooLong: boolean) => void

/** Splits chunks of a file into lines. Holds at most one line. */
export class LineSplitter {
  readonly #onLine: LineListener
  #rest: Buffer | null = null
  /** Whether the line before the next line feed is being skipped. */
  #isSkipping = false

  constructor (onLine: LineListener) {
    this.#onLine = onLine
  }

  push (chunk: Buffer): void {
    const bytes = this.#rest === null ? chunk : Buffer.concat([this.#rest, chunk])
    const block = toBlock(bytes)
    let start = 0
    for (let end = block.text.indexOf(LINE_FEED); end !== -1; end = block.text.indexOf(LINE_FEED, start)) {
      this.#emit(block, start, end)
      start = end + 1
    }
    const hasTooMuch = bytes.length - start > MAX_LINE_BYTES
    if (hasTooMuch && !this.#isSkipping) this.#onLine(block, start, start + MAX_LINE_BYTES, true)
    this.#isSkipping ||= hasTooMuch
    // A copy: the buffer of a stream may be used again.
    this.#rest = this.#isSkipping || start === bytes.length ? null : Buffer.from(bytes.subarray(start))
  }

  /** The last line may have no line feed. */
  end (): void {
    const bytes = this.#rest
    if (bytes !== null) this.#emit(toBlock(bytes), 0, bytes.length)
    this.#rest = null
    this.#isSkipping = false
  }

  #emit (block: Block, start: number, end: number): void {
    if (this.#isSkipping) {
      this.#isSkipping = false
      return
    }
    const isTooLong = end - start > MAX_LINE_BYTES
    const trimmed = end > start && block.bytes[end - 1] === CARRIAGE_RETURN ? end - 1 : end
    this.#onLine(block, start, isTooLong ? start + MAX_LINE_BYTES : trimmed, isTooLong)
  }
}

function toBlock (bytes: Buffer): Block {
  return { bytes, text: bytes.toString('latin1'), isAscii: isAscii(bytes) }
}
