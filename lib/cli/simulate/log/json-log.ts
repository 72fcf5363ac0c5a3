import { parseJson } from '../../../common/parse-json.js'
import { isRecord, type JsonRecord } from '../../../common/type-guards.js'
import { findField, parseFields, type FieldName } from './named-fields.js'
import { isWord, LogEntry, toStatus, type Block, type ParsedLine } from './log-entry.js'
import { parseTime } from './log-time.js'
import { isMethod, parsePath } from './request-line.js'

/**
 * Parse a line of JSON: of Fastify's logger (pino), of Cloudflare's Logpush, or of any program that has the fields of a request
 * under names such as `time`, `ip` and `path`.
 */
export function parseJsonLine ({ bytes }: Block, start: number, end: number, line: number): ParsedLine {
  const value = parseJson(bytes.toString('utf8', start, end))
  if (!isRecord(value)) return 'bad'
  const { req, res } = value
  if (isRecord(req)) return parsePinoRequest(value, req, line)
  if (isRecord(res)) return parsePinoResponse(value, res)
  // Other lines of Fastify's logger.
  if (typeof value.level === 'number') return 'other'
  const fields = new Map<FieldName, unknown>()
  for (const [name, one] of Object.entries(value)) {
    const field = findFieldOf(name)
    if (field !== null && !fields.has(field)) fields.set(field, one)
  }
  const parsed = parseFields((field) => fields.get(field), line)
  if (typeof parsed === 'object' && 'address' in parsed) parsed.pairKey = toPairKey(value)
  return parsed
}

/** All lines have the same few names. */
const fieldsByName = new Map<string, FieldName | null>()
const MAX_NAMES = 500

function findFieldOf (name: string): FieldName | null {
  const known = fieldsByName.get(name)
  if (known !== undefined) return known
  const field = findField(name)
  if (fieldsByName.size < MAX_NAMES) fieldsByName.set(name, field)
  return field
}

function parsePinoRequest (value: JsonRecord, req: JsonRecord, line: number): ParsedLine {
  const { method, url, remoteAddress: address } = req
  // A later line of the same request, such as that of an error.
  if (typeof method !== 'string' || typeof url !== 'string' || typeof address !== 'string' || isRecord(value.res)) return 'other'
  const timeUs = parseTime(value.time)
  const path = parsePath(url)
  if (timeUs === null || path === '' || !isWord(address) || !isMethod(method)) return 'bad'
  const entry = new LogEntry(line, timeUs, address, method, path)
  entry.pairKey = toPairKey(value)
  return entry
}

function parsePinoResponse (value: JsonRecord, { statusCode }: JsonRecord): ParsedLine {
  const pairKey = toPairKey(value)
  return pairKey !== null && typeof statusCode === 'number' ? { pairKey, status: toStatus(statusCode) } : 'other'
}

/** The ids of two processes are the same numbers. */
function toPairKey ({ reqId, pid, hostname }: JsonRecord): string | null {
  return typeof reqId === 'string' || typeof reqId === 'number' ? `${reqId} ${String(pid)} ${String(hostname)}` : null
}
