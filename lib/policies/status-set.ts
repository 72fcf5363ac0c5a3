/** HTTP statuses, from `refundOn`. */
export interface StatusSet {
  /** Whether there is nothing in it, so that no response needs watching. */
  readonly isEmpty: boolean
  has (status: number): boolean
}

/** The first entry that is neither a status nor a class of them; for the caller's error. */
export interface WrongStatus {
  readonly wrongAt: number
  readonly expected: string
  readonly value: unknown
}

const EXPECTED = 'a status from 100 to 599 or a class of them such as "2xx"'
const LOWEST = 100
const HIGHEST = 599

/** Read statuses: numbers (`304`), the same as text (`'304'`), and classes (`'2xx'`). An empty list is an empty set. */
export function parseStatuses (entries: readonly unknown[]): StatusSet | WrongStatus {
  const isIn = new Uint8Array(HIGHEST + 1)
  for (const [wrongAt, value] of entries.entries()) {
    const range = rangeOf(value)
    if (range === null) return { wrongAt, expected: EXPECTED, value }
    isIn.fill(1, range.first, range.last + 1)
  }
  return { isEmpty: entries.length === 0, has: (status) => isIn[status] === 1 }
}

function rangeOf (value: unknown): { first: number, last: number } | null {
  if (typeof value === 'string') {
    if (/^[1-5]xx$/i.test(value)) return { first: Number(value[0]) * 100, last: Number(value[0]) * 100 + 99 }
    return /^\d{3}$/.test(value) ? rangeOf(Number(value)) : null
  }
  const isStatus = typeof value === 'number' && Number.isInteger(value) && value >= LOWEST && value <= HIGHEST
  return isStatus ? { first: value, last: value } : null
}
