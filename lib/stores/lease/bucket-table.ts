import type { Hash } from '../memory/hash.js'

/** The row of a bucket that is not in the table. */
export const ABSENT = -1

/*
 * A row is 64 bytes of one buffer, so that a check waits for few lines of memory: an object and what belongs to it are in a
 * dozen places of the heap. Three words of the hash and five more are 32-bit integers; four doubles follow. See `BucketRow`.
 *
 * As in the memory store, the hash has 96 bits and a secret key, and stands for the text.
 */
const ROW_BYTES = 64
export const ROW_WORDS = 16
export const ROW_NUMBERS = 8
/** The number of the bucket, counted from 1; 0 for an empty row. */
const BUCKET = 3

/** Rows; a power of 2. */
const MIN_CAPACITY = 16

/** Rows as integers, `ROW_WORDS` each, and as doubles, `ROW_NUMBERS` each: the same memory. */
export interface Rows {
  readonly words: Int32Array
  readonly numbers: Float64Array
}

/** A bucket with numbers in a row. */
export interface RowOwner {
  readonly row: {
    /** Its row is now this one, with the numbers that are there. */
    select (rows: Rows, row: number): void
    /** Its row is now this one, with the numbers that it had. */
    moveTo (rows: Rows, row: number): void
  }
}

/** Rows of zeros. */
export function createRows (count: number): Rows {
  const bytes = new ArrayBuffer(count * ROW_BYTES)
  return { words: new Int32Array(bytes), numbers: new Float64Array(bytes) }
}

/** Buckets by the hash of their partition: an open-addressing table with linear probing. At least half of the rows are empty. */
export class BucketTable<Bucket extends RowOwner> {
  readonly #buckets: Array<Bucket | null> = []
  #rows = createRows(MIN_CAPACITY)
  #capacity = MIN_CAPACITY

  /** They are others after a bucket was added. */
  get rows (): Rows { return this.#rows }

  /** Number of buckets, with those that were removed: their rows are not used for others. */
  get size (): number { return this.#buckets.length }

  find ({ word0, word1, word2 }: Hash): number {
    const { words } = this.#rows
    const last = this.#capacity - 1
    let row = word0 & last
    while (true) {
      const at = row * ROW_WORDS
      if (words[at + BUCKET] === 0) return ABSENT
      if (words[at] === word0 && words[at + 1] === word1 && words[at + 2] === word2) return row
      row = (row + 1) & last
    }
  }

  /** The bucket with this hash, or `null`. */
  get (hash: Hash): Bucket | null { return this.#bucketAt(this.find(hash)) }

  /** Add a bucket that is not in the table, or was removed. */
  add (hash: Hash, bucket: Bucket): void {
    const known = this.find(hash)
    if (known === ABSENT && (this.size + 1) * 2 > this.#capacity) this.#grow()
    const row = known === ABSENT ? this.#findEmpty(hash.word0) : known
    const { words } = this.#rows
    const at = row * ROW_WORDS
    if (known === ABSENT) {
      words[at] = hash.word0
      words[at + 1] = hash.word1
      words[at + 2] = hash.word2
      words[at + BUCKET] = this.#buckets.push(bucket)
    } else {
      this.#buckets[words[at + BUCKET] - 1] = bucket
    }
    bucket.row.moveTo(this.#rows, row)
  }

  /** Remove a bucket, and return it. It keeps its numbers, which calls that are on their way may still change. */
  remove (hash: Hash): Bucket | null {
    const row = this.find(hash)
    const bucket = this.#bucketAt(row)
    if (bucket === null) return null
    const { words } = this.#rows
    const at = row * ROW_WORDS
    this.#buckets[words[at + BUCKET] - 1] = null
    bucket.row.moveTo(createRows(1), 0)
    words.fill(0, at + BUCKET + 1, at + ROW_WORDS)
    return bucket
  }

  * buckets (): Generator<Bucket> {
    for (const bucket of this.#buckets) if (bucket !== null) yield bucket
  }

  #bucketAt (row: number): Bucket | null {
    return row === ABSENT ? null : this.#buckets[this.#rows.words[row * ROW_WORDS + BUCKET] - 1]
  }

  #findEmpty (word0: number): number {
    const last = this.#capacity - 1
    let row = word0 & last
    while (this.#rows.words[row * ROW_WORDS + BUCKET] !== 0) row = (row + 1) & last
    return row
  }

  #grow (): void {
    const { words } = this.#rows
    this.#capacity *= 2
    this.#rows = createRows(this.#capacity)
    for (let at = 0; at < words.length; at += ROW_WORDS) {
      if (words[at + BUCKET] === 0) continue
      const row = this.#findEmpty(words[at])
      this.#rows.words.set(words.subarray(at, at + ROW_WORDS), row * ROW_WORDS)
      this.#buckets[words[at + BUCKET] - 1]?.row.select(this.#rows, row)
    }
  }
}
