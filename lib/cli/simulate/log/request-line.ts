import { LogEntry, decodeText, isWord, toPath, type Block } from './log-entry.js'
import { QUESTION_MARK, HASH, SLASH, SPACE, findByte, hasText } from './scan.js'

/** ` HTTP/1.1` */
const VERSION_LENGTH = 9

/** The address at a position of a line; empty if it is too long for one. */
export function readAddress ({ bytes }: Block, start: number, end: number): string {
  const address = bytes.toString('latin1', start, end)
  return isWord(address) ? address : ''
}

/** The entry of a request line such as `GET /a?b=1 HTTP/1.1`; `null` if the text is another one. */
export function readRequestLine (block: Block, start: number, close: number, { line, timeUs, address }: RequestHead): LogEntry | null {
  const { bytes } = block
  const space = findByte(bytes, SPACE, start, close)
  const method = space === -1 ? null : readMethod(block, start, space)
  if (method === null) return null
  const path = readPath(block, space + 1, findUrlEnd(block, space + 1, close))
  return path === '' ? null : new LogEntry(line, timeUs, address, method, path)
}

/** What a line has before the request. */
export interface RequestHead {
  readonly line: number
  readonly timeUs: number
  readonly address: string
}

/** The path of a URL, which may have a scheme and a host. */
export function parsePath (url: string): string {
  return toPath(url).replace(/[?#].*$/s, '')
}

function readPath (block: Block, start: number, end: number): string {
  const { bytes } = block
  if (bytes[start] !== SLASH) return parsePath(decodeText(block, start, end))
  let pathEnd = start
  while (pathEnd < end && bytes[pathEnd] !== QUESTION_MARK && bytes[pathEnd] !== HASH) pathEnd++
  return decodeText(block, start, pathEnd)
}

/** Where the version of HTTP begins, or the line ends. */
function findUrlEnd ({ bytes }: Block, start: number, close: number): number {
  const usual = close - VERSION_LENGTH
  if (usual > start && bytes[usual] === SPACE && hasText(bytes, ' HTTP/', usual)) return usual
  const space = bytes.lastIndexOf(SPACE, close)
  return space > start ? space : close
}

/** The method, `null` for another text. */
function readMethod ({ bytes }: Block, start: number, end: number): string | null {
  // Most lines: without a new text for each of them.
  if (hasText(bytes, 'GET ', start)) return 'GET'
  if (hasText(bytes, 'POST ', start)) return 'POST'
  const method = bytes.toString('latin1', start, end)
  return isMethod(method) ? method : null
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
