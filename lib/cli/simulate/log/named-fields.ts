import { copyText } from '../../../clients/address/address-reader.js'
import { isRecord } from '../../../common/type-guards.js'
import { isUnits, isWord, LogEntry, NOTHING, toStatus, type GivenFields, type ParsedLine } from './log-entry.js'
import { parseTime } from './log-time.js'
import { isMethod, parsePath } from './request-line.js'

/** The fields of a request by name, in CSV and in JSON lines. */
export type FieldName = 'time' | 'address' | 'method' | 'url' | 'route' | 'status' | 'user' | 'key' | 'tier' | 'cost' | 'outcome' | 'scope'

/** Names that other programs have for the fields. Compared without case, spaces, dashes and underscores. */
const SYNONYMS: Readonly<Record<FieldName, readonly string[]>> = {
  time: ['time', 'timestamp', '@timestamp', 'date', 'datetime', 'edgestarttimestamp'],
  address: ['address', 'ip', 'clientip', 'remoteaddr', 'remoteaddress', 'client', 'host'],
  method: ['method', 'verb', 'httpmethod', 'requestmethod', 'clientrequestmethod'],
  url: ['url', 'path', 'uri', 'requesturi', 'requestpath', 'clientrequesturi', 'clientrequestpath'],
  route: ['route'],
  status: ['status', 'statuscode', 'responsestatus', 'edgeresponsestatus'],
  user: ['user', 'userid', 'username'],
  key: ['key'],
  tier: ['tier', 'plan'],
  cost: ['cost', 'units'],
  outcome: ['outcome'],
  scope: ['scope']
}

const NAMES: ReadonlyMap<string, FieldName> = new Map(Object.entries(SYNONYMS).flatMap(([field, names]) => {
  return names.map((name) => [name, field as FieldName] as const)
}))

/** The field that a column is named after; `null` for another column. */
export function findField (column: string): FieldName | null {
  return NAMES.get(column.trim().toLowerCase().replace(/[\s_-]/g, '')) ?? null
}

/** Decisions by limits that only the code of the application has. No file can be replayed for them. */
const CODE_SCOPE = 'route:'

/** What a hashed user begins with. */
const HASHED_USER = 'user#'

/** Build an entry from its fields by name. `get`: the value of a field, `undefined` if it is absent. */
export function parseFields (get: (field: FieldName) => unknown, line: number): ParsedLine {
  const scope = get('scope')
  if (typeof scope === 'string' && scope.startsWith(CODE_SCOPE)) return 'other'
  const timeUs = parseTime(get('time'))
  const [address, url] = [toText(get('address')), toText(get('url'))]
  const method = toText(get('method'))?.toUpperCase() ?? 'GET'
  if (timeUs === null || address === null || !isWord(address) || url === null || !isMethod(method)) return 'bad'
  const path = parsePath(url)
  if (path === '') return 'bad'
  const user = toText(get('user'))
  // A copy: a part of a block would keep all of it in memory.
  const entry = new LogEntry(line, timeUs, copyText(address), method, path)
  entry.status = toStatus(toNumber(get('status')))
  entry.given = parseGiven(get, user)
  return entry
}

function parseGiven (get: (field: FieldName) => unknown, user: string | null): GivenFields {
  const [route, key, tier, cost] = [toText(get('route')), toText(get('key')), toText(get('tier')), parseCost(get('cost'))]
  // A user is exempt by the configuration, which decides again, unless it cannot know a hashed one.
  const isExempt = (user === null || user.startsWith(HASHED_USER)) && get('outcome') === 'exempt'
  const isEmpty = user === null && route === null && key === null && tier === null && cost === null && !isExempt
  return isEmpty ? NOTHING : { route, user, key, tier, cost, isExempt }
}

function parseCost (value: unknown): GivenFields['cost'] {
  if (isRecord(value)) return value
  const units = toNumber(value)
  return isUnits(units) ? units : null
}

/** NaN for anything else. White space alone is no number, although `Number` takes it for 0. */
function toNumber (value: unknown): number {
  const text = toText(value)?.trim() ?? ''
  return text === '' ? NaN : Number(text)
}

/** `null` for an absent value, and for `-`, by which logs mean none. */
function toText (value: unknown): string | null {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' && value !== '-' ? value : null
}
