import { findClosingQuote, parseStatus, readMethod, readUrl } from './common-log.js'
import { isWord, LogEntry, type Block, type ParsedLine } from './log-entry.js'
import { parseIsoTime } from './log-time.js'

const TYPES = ['http', 'https', 'h2', 'grpcs', 'ws', 'wss']

/** Whether a line begins as those of an Application Load Balancer do: `https 2018-07-02T22:23:00.186641Z app/...`. */
export function isAlbLine ({ text }: Block, start: number): boolean {
  const space = text.indexOf(' ', start)
  return space - start <= 5 && text[space + 5] === '-' && TYPES.includes(text.slice(start, space))
}

/** Parse a line of an Application Load Balancer of AWS. The time is that of the request where the line has it. */
export function parseAlbLine (block: Block, start: number, end: number, line: number): ParsedLine {
  const { bytes, text } = block
  const spaces: number[] = []
  for (let space = text.indexOf(' ', start); space !== -1 && space < end && spaces.length < 12; space = text.indexOf(' ', space + 1)) {
    spaces.push(space)
  }
  if (spaces.length < 12) return 'bad'
  const quote = spaces[11] + 1
  const close = findClosingQuote(text, quote + 1, end)
  const timeUs = findCreationTime(text, close + 1, end) ?? parseIsoTime(text.slice(spaces[0] + 1, spaces[1]))
  const method = close === -1 ? '' : readMethod(text, quote + 1, close)
  // Address and port, an IPv6 address possibly in brackets.
  const address = bytes.toString('latin1', spaces[2] + 1, spaces[3]).replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1')
  const url = method === '' ? '' : readUrl(block, quote + 2 + method.length, close)
  if (url === '' || timeUs === null || !isWord(address)) return 'bad'
  const entry = new LogEntry(line, timeUs, address, method, url)
  entry.status = parseStatus(text, spaces[7] + 1, end)
  return entry
}

/** The time when the load balancer received the request: after the user agent, the trace, the domain and the certificate. */
function findCreationTime (text: string, after: number, end: number): number | null {
  if (after === 0) return null
  let position = after
  for (let field = 0; field < 4; field++) {
    const open = text.indexOf('"', position)
    const close = text.indexOf('"', open + 1)
    if (open === -1 || close === -1 || close >= end) return null
    position = close + 1
  }
  const space = text.indexOf(' ', position + 1)
  const next = text.indexOf(' ', space + 1)
  return space === -1 || space >= end ? null : parseIsoTime(text.slice(space + 1, next === -1 || next > end ? end : next))
}
