import type { Block, ParsedLine } from './log-entry.js'
import { parseIsoTime } from './log-time.js'
import { readAddress, readRequestLine } from './request-line.js'
import { CLOSING_BRACKET, OPENING_BRACKET, QUOTE, SPACE, findByte, findClosingQuote, parseStatus } from './scan.js'

const TYPES = ['http', 'https', 'h2', 'grpcs', 'ws', 'wss']
const DASH = 0x2d
const COLON = 0x3a

/** Whether a line begins as those of an Application Load Balancer do: `https 2018-07-02T22:23:00.186641Z app/...`. */
export function isAlbLine ({ bytes }: Block, start: number, end: number): boolean {
  const space = findByte(bytes, SPACE, start, Math.min(start + 6, end))
  return space !== -1 && bytes[space + 5] === DASH && TYPES.includes(bytes.toString('latin1', start, space))
}

/** Parse a line of an Application Load Balancer of AWS. The time is that of the request where the line has it. */
export function parseAlbLine (block: Block, start: number, end: number, line: number): ParsedLine {
  const { bytes } = block
  const timeAt = skipFields(bytes, start, end, 1)
  const addressAt = skipFields(bytes, timeAt, end, 2)
  const statusAt = skipFields(bytes, addressAt, end, 5)
  const quote = skipFields(bytes, statusAt, end, 4)
  if (quote >= end) return 'bad'
  const close = findClosingQuote(bytes, quote + 1, end)
  const timeEnd = skipFields(bytes, timeAt, end, 1) - 1
  const timeUs = findCreationTime(block, close + 1, end) ?? parseIsoTime(bytes.toString('latin1', timeAt, timeEnd))
  const address = readClient(block, addressAt, skipFields(bytes, addressAt, end, 1) - 1)
  if (close === -1 || timeUs === null || address === '') return 'bad'
  const entry = readRequestLine(block, quote + 1, close, { line, timeUs, address })
  if (entry === null) return 'bad'
  entry.status = parseStatus(bytes, statusAt, end)
  return entry
}

/** The position after a number of spaces; `end` if there are fewer. */
function skipFields (bytes: Buffer, from: number, end: number, fields: number): number {
  let at = from
  for (let field = 0; field < fields; field++) {
    const space = findByte(bytes, SPACE, at, end)
    if (space === -1) return end
    at = space + 1
  }
  return at
}

/** An address with its port: an IPv6 address may be in brackets. */
function readClient (block: Block, start: number, end: number): string {
  const { bytes } = block
  let portAt = end
  while (portAt > start && bytes[portAt - 1] >= 0x30 && bytes[portAt - 1] <= 0x39) portAt--
  const addressEnd = portAt < end && bytes[portAt - 1] === COLON ? portAt - 1 : end
  const isInBrackets = bytes[start] === OPENING_BRACKET && bytes[addressEnd - 1] === CLOSING_BRACKET
  return isInBrackets ? readAddress(block, start + 1, addressEnd - 1) : readAddress(block, start, addressEnd)
}

/** The time when the load balancer received the request: after the user agent, the trace, the domain and the certificate. */
function findCreationTime ({ bytes }: Block, after: number, end: number): number | null {
  if (after === 0) return null
  let position = after
  for (let field = 0; field < 4; field++) {
    const open = findByte(bytes, QUOTE, position, end)
    const close = open === -1 ? -1 : findByte(bytes, QUOTE, open + 1, end)
    if (close === -1) return null
    position = close + 1
  }
  const space = findByte(bytes, SPACE, position + 1, end)
  if (space === -1) return null
  const next = findByte(bytes, SPACE, space + 1, end)
  return parseIsoTime(bytes.toString('latin1', space + 1, next === -1 ? end : next))
}
