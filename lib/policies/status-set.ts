/** The HTTP statuses of the option `refundOn`. */
export interface StatusSet {
  /** Whether the set is empty, so that responses need no listener. */
  readonly isEmpty: boolean
  has (status: number): boolean
}

/** The first entry that is neither a status nor a status class, for the caller's error. */
export interface InvalidStatus {
  readonly invalidIndex: number
  readonly expected: string
  readonly value: unknown
}

const EXPECTED = 'a status from 200 to 599 or a class of them such as "2xx"'
/** Those below are of no final response. */
const MIN_STATUS = 200
const MAX_STATUS = 599

/** Parse statuses: numbers (`304`), numbers as text (`'304'`) and classes (`'2xx'`). An empty list gives an empty set. */
export function parseStatuses (entries: readonly unknown[]): StatusSet | InvalidStatus {
  const isIncluded = new Uint8Array(MAX_STATUS + 1)
  for (const [invalidIndex, value] of entries.entries()) {
    const range = parseRange(value)
    if (range === null) return { invalidIndex, expected: EXPECTED, value }
    isIncluded.fill(1, range.first, range.last + 1)
  }
  return { isEmpty: entries.length === 0, has: (status) => isIncluded[status] === 1 }
}

function parseRange (value: unknown): { first: number, last: number } | null {
  if (typeof value === 'string') {
    if (/^[2-5]xx$/i.test(value)) return { first: Number(value[0]) * 100, last: Number(value[0]) * 100 + 99 }
    return /^\d{3}$/.test(value) ? parseRange(Number(value)) : null
  }
  const isStatus = typeof value === 'number' && Number.isInteger(value) && value >= MIN_STATUS && value <= MAX_STATUS
  return isStatus ? { first: value, last: value } : null
}
