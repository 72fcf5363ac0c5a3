import { decodeText, isWord, LogEntry, toPath, type Block, type ParsedLine } from './log-entry.js'
import { CLF_LENGTH, parseClfTime } from './log-time.js'

const QUOTE = '"'
const BACKSLASH = 0x5c

/** ` HTTP/1.1` */
const VERSION = ' HTTP/'
const VERSION_LENGTH = 9

/**
 * Parse a line of the common or combined log format, as nginx and Apache write it:
 * `203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326 "-" "curl/8.5.0"`.
 */
export function parseCommonLine (block: Block, start: number, end: number, line: number): ParsedLine {
  const { bytes, text } = block
  const space = text.indexOf(' ', start)
  if (space === -1 || space >= end) return 'bad'
  let timeUs: number | null = null
  let timeEnd = space
  // The user's name comes before the time, and may look like one.
  for (let bracket = text.indexOf('[', space); bracket !== -1 && bracket < end; bracket = text.indexOf('[', bracket + 1)) {
    timeEnd = bracket + 1 + CLF_LENGTH
    if (timeEnd < end && text.charCodeAt(timeEnd) === 0x5d) timeUs = parseClfTime(text, bracket + 1)
    if (timeUs !== null) break
  }
  // From the bytes: a part of the text would keep all of it in memory.
  const address = bytes.toString('latin1', start, space)
  if (timeUs === null || !isWord(address)) return 'bad'
  return parseRequest(block, text.indexOf(QUOTE, timeEnd), end, { line, timeUs, address })
}

/** What comes before the request. */
interface RequestHead {
  readonly line: number
  readonly timeUs: number
  readonly address: string
}

/** The entry of the request line in quotes, which begin at `quote`; the status follows them. */
function parseRequest (block: Block, quote: number, end: number, { line, timeUs, address }: RequestHead): ParsedLine {
  const { text } = block
  const close = quote === -1 ? -1 : findClosingQuote(text, quote + 1, end)
  const method = close === -1 ? '' : readMethod(text, quote + 1, close)
  const url = method === '' ? '' : readUrl(block, quote + 2 + method.length, close)
  if (url === '') return 'bad'
  const entry = new LogEntry(line, timeUs, address, method, url)
  entry.status = parseStatus(text, close + 2, end)
  return entry
}

/** Apache writes a quote in a URL as `\"`, nginx as `\x22`. -1 if there is no closing quote. */
export function findClosingQuote (text: string, from: number, end: number): number {
  for (let quote = text.indexOf(QUOTE, from); quote !== -1 && quote < end; quote = text.indexOf(QUOTE, quote + 1)) {
    let backslashes = 0
    while (quote - 1 - backslashes >= from && text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++
    if (backslashes % 2 === 0) return quote
  }
  return -1
}

/** The method of a request line; empty without one. */
export function readMethod (text: string, start: number, close: number): string {
  // Most lines: without a new text for each of them.
  if (text.startsWith('GET ', start)) return 'GET'
  if (text.startsWith('POST ', start)) return 'POST'
  const space = text.indexOf(' ', start)
  const method = space === -1 || space >= close ? '' : text.slice(start, space)
  return isMethod(method) ? method : ''
}

/** The URL of a request line, from `start` to the version of HTTP. */
export function readUrl (block: Block, start: number, close: number): string {
  const { text } = block
  const usual = close - VERSION_LENGTH
  const end = usual > start && text.startsWith(VERSION, usual) ? usual : text.lastIndexOf(' ', close)
  return toPath(decodeText(block, start, end > start ? end : close))
}

/** Fastify answers no request with another method. */
export function isMethod (text: string): boolean {
  if (text.length === 0 || text.length > 20) return false
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if ((code < 0x41 || code > 0x5a) && code !== 0x2d) return false
  }
  return true
}

/** Three digits before `end`; `null` for anything else. Behind the end is the next line. */
export function parseStatus (text: string, start: number, end: number): number | null {
  if (start + 3 > end) return null
  let status = 0
  for (let i = start; i < start + 3; i++) {
    const digit = text.charCodeAt(i) - 48
    if (!(digit >= 0 && digit <= 9)) return null
    status = status * 10 + digit
  }
  return status
}
