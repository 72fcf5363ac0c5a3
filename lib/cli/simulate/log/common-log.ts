import type { Block, ParsedLine } from './log-entry.js'
import { CLF_LENGTH, parseClfTime } from './log-time.js'
import { readAddress, readRequestLine } from './request-line.js'
import { CLOSING_BRACKET, OPENING_BRACKET, QUOTE, SPACE, findByte, findClosingQuote, parseStatus } from './scan.js'

/**
 * Parse a line of the common or combined log format, as nginx and Apache write it:
 * `203.0.113.9 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 2326 "-" "curl/8.5.0"`.
 */
export function parseCommonLine (block: Block, start: number, end: number, line: number): ParsedLine {
  const { bytes } = block
  const space = findByte(bytes, SPACE, start, end)
  if (space === -1) return 'bad'
  let timeUs: number | null = null
  let timeEnd = space
  // The user's name comes before the time, and may look like one.
  for (let bracket = space; timeUs === null;) {
    bracket = findByte(bytes, OPENING_BRACKET, bracket + 1, end)
    if (bracket === -1) return 'bad'
    timeEnd = bracket + 1 + CLF_LENGTH
    if (timeEnd < end && bytes[timeEnd] === CLOSING_BRACKET) timeUs = parseClfTime(bytes, bracket + 1)
  }
  const address = readAddress(block, start, space)
  const quote = findByte(bytes, QUOTE, timeEnd, end)
  const close = quote === -1 ? -1 : findClosingQuote(bytes, quote + 1, end)
  if (address === '' || close === -1) return 'bad'
  const entry = readRequestLine(block, quote + 1, close, { line, timeUs, address })
  if (entry === null) return 'bad'
  entry.status = parseStatus(bytes, close + 2, end)
  return entry
}
