import { isAscii } from 'node:buffer'
import type { Block } from './log-entry.js'

/** Longer lines are skipped: no server logs a URL of that length. */
const MAX_LINE_BYTES = 65_536

const LINE_FEED = 0x0a
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
    const block = toBlock(chunk)
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      this.#endLine(block, start, end)
      start = end + 1
    }
    this.#hold(chunk.subarray(start))
  }

  /** The last line may have no line feed. */
  end (): void {
    const bytes = this.#rest
    if (bytes !== null) this.#emit(toBlock(bytes), 0, bytes.length)
    this.#rest = null
    this.#isSkipping = false
  }

  /** The first line of a chunk may have begun in the one before. */
  #endLine (block: Block, start: number, end: number): void {
    const rest = this.#rest
    if (rest === null) return this.#emit(block, start, end)
    this.#rest = null
    const bytes = Buffer.concat([rest, block.bytes.subarray(start, end)])
    this.#emit(toBlock(bytes), 0, bytes.length)
  }

  /** Keep a copy of the beginning of a line: the buffer of a stream may be used again. */
  #hold (part: Buffer): void {
    if (this.#isSkipping || part.length === 0) return
    const rest = this.#rest === null ? Buffer.from(part) : Buffer.concat([this.#rest, part])
    this.#isSkipping = rest.length > MAX_LINE_BYTES
    this.#rest = this.#isSkipping ? null : rest
    if (this.#isSkipping) this.#onLine(toBlock(rest), 0, MAX_LINE_BYTES, true)
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
  return { bytes, isAscii: isAscii(bytes) }
}
