/** What few formats have of a request. */
export interface GivenFields {
  /** The pattern of its route; `null` if the log does not have it. */
  readonly route: string | null
  /** `null` without a user. */
  readonly user: string | null
  /** The generated key; `null` without one. */
  readonly key: string | null
  /** `null`: the default tier. */
  readonly tier: string | null
  /** Units, or those of each limit by its name; `null` if the log does not have them. */
  readonly cost: number | Readonly<Record<string, unknown>> | null
  /** Whether the plugin exempted the request by its address, or by a function of the application. */
  readonly isExempt: boolean
}

/**
 * The units that a request takes from a limit, if a function of the application computes them: those that the log gives,
 * else 1. `null`: from a limit whose name is not known.
 */
export function findCost (given: GivenFields | undefined, limit: string | null): number {
  if (given === undefined || given.cost === null) return 1
  const { cost } = given
  const units = typeof cost === 'number' ? cost : limit === null ? Object.values(cost)[0] : cost[limit]
  // Fractions are rounded up, as those of a cost function are.
  return isUnits(units) ? Math.ceil(units) : 1
}

export function isUnits (value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER
}

/** Most requests of a log have none of these. One object, because each would be held with its request. */
export const NOTHING: GivenFields = { route: null, user: null, key: null, tier: null, cost: null, isExempt: false }

/** A request in a log. A class, because an object is created for each line. */
export class LogEntry {
  /** Number of its line, from 1, through all files. */
  readonly line: number
  /** Microseconds since 1970. */
  readonly timeUs: number
  /** The client's address as written, possibly a hash such as `ip#0123456789abcdef`. */
  readonly address: string
  readonly method: string
  /** Without the query. */
  readonly path: string
  /** The status of the response; `null` while it is not known. */
  status: number | null = null
  /** Names the response that another line has; `null` without one. */
  pairKey: string | null = null
  given = NOTHING

  constructor (line: number, timeUs: number, address: string, method: string, path: string) {
    this.line = line
    this.timeUs = timeUs
    this.address = address
    this.method = method
    this.path = path
  }
}

/** The response of a request whose line came before. */
export interface LogResponse {
  readonly pairKey: string
  /** `null` for a number that no status has. */
  readonly status: number | null
}

/** `other`: a line about something else than a request. `bad`: no format fits. */
export type ParsedLine = LogEntry | LogResponse | 'other' | 'bad'

/** Bytes that contain lines. */
export interface Block {
  readonly bytes: Buffer
  readonly isAscii: boolean
}

/** Parses the line between two positions of a block. Never throws. */
export type LineParser = (block: Block, start: number, end: number, line: number) => ParsedLine

/** Longest address that is kept, such as a hash. Longer text is no address. */
const MAX_WORD_LENGTH = 256

export function isWord (text: string): boolean {
  return text.length > 0 && text.length <= MAX_WORD_LENGTH
}

/** A status of HTTP: three digits at most. `null` for any other number. */
export function toStatus (number: number): number | null {
  return Number.isInteger(number) && number >= 0 && number <= 999 ? number : null
}

/** Text outside of ASCII is decoded as UTF-8. */
export function decodeText ({ bytes, isAscii }: Block, start: number, end: number): string {
  return bytes.toString(isAscii ? 'latin1' : 'utf8', start, end)
}

/** The path and query of a request's target, which proxies log with scheme and host. */
export function toPath (target: string): string {
  if (target.startsWith('/')) return target
  const authority = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i.exec(target)
  if (authority === null) return target
  const path = target.slice(authority[0].length)
  return path.startsWith('/') ? path : `/${path}`
}
