interface Entry<Value> {
  readonly key: string
  readonly value: Value
  readonly count: number
  /** How much too high the count may be. */
  readonly error: number
  /** The last mark that was given to `add`. */
  readonly mark: number
}

const ABSENT = -1

/**
 * Counts the most frequent keys of a stream in bounded memory, each occurrence with a weight. No count is too low, and each
 * key with more than a share of 1 / `capacity` of all counts has one (Metwally, Agrawal, El Abbadi: Efficient Computation of
 * Frequent and Top-k Elements in Data Streams, 2005).
 */
export class WeightedSpaceSaving<Value> {
  readonly #capacity: number
  readonly #places = new Map<string, number>()
  readonly #keys: string[] = []
  readonly #values: Value[] = []
  readonly #counts: Float64Array
  readonly #errors: Float64Array
  readonly #marks: Float64Array
  /** No count is lower. Counts only grow, so the next one of this height is searched from where the last one was. */
  #leastCount = 0
  #next = 0

  constructor (capacity: number) {
    this.#capacity = capacity
    this.#counts = new Float64Array(capacity)
    this.#errors = new Float64Array(capacity)
    this.#marks = new Float64Array(capacity)
  }

  /** At most this often was a key counted that has no entry. */
  get absentCount (): number {
    return this.#keys.length < this.#capacity ? 0 : Math.min(...this.#counts)
  }

  /** Count a key `times` times. `value`: kept with a new entry. */
  add (key: string, value: Value, times: number, mark: number): void {
    let place = this.#places.get(key) ?? ABSENT
    if (place === ABSENT) place = this.#insert(key, value)
    this.#counts[place] += times
    this.#marks[place] = mark
  }

  /** The entry of a key; `null` without one. */
  find (key: string): Entry<Value> | null {
    const place = this.#places.get(key)
    return place === undefined ? null : this.#read(place)
  }

  entries (): Array<Entry<Value>> {
    return this.#keys.map((_, place) => this.#read(place))
  }

  #read (place: number): Entry<Value> {
    return {
      key: this.#keys[place],
      value: this.#values[place],
      count: this.#counts[place],
      error: this.#errors[place],
      mark: this.#marks[place]
    }
  }

  /** Add a key in place of the least frequent one, whose count it may have had. */
  #insert (key: string, value: Value): number {
    let place = this.#keys.length
    if (place === this.#capacity) {
      place = this.#findLeast()
      this.#places.delete(this.#keys[place])
      this.#errors[place] = this.#counts[place]
    }
    this.#keys[place] = key
    this.#values[place] = value
    this.#places.set(key, place)
    return place
  }

  #findLeast (): number {
    const counts = this.#counts
    for (let tried = 0; tried < counts.length; tried++) {
      const place = this.#next
      this.#next = place + 1 === counts.length ? 0 : place + 1
      if (counts[place] <= this.#leastCount) return place
    }
    this.#leastCount = Math.min(...counts)
    return this.#findLeast()
  }
}
