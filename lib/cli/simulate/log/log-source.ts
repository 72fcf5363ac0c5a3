import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { LineSplitter, type LineListener } from './split-lines.js'

/** Lines are parsed in one turn per chunk, so that it is not too long for the progress bar. */
const CHUNK_BYTES = 262_144

/** The name of standard input. */
export const STDIN = '-'

/** What a log is read from. */
export interface LogSource {
  /** A path, or `-` for standard input. */
  readonly file: string
  readonly stdin: Readable
  readonly onLine: LineListener
  /** Called with the number of bytes read since the last call, before they are unpacked. */
  readonly onProgress: (bytes: number) => void
}

/** Sizes of the files together; `null` if one of them is not a file. Rejects with the error of the system. */
export async function measureFiles (files: readonly string[]): Promise<number | null> {
  let bytes = 0
  for (const file of files) {
    if (file === STDIN) return null
    const status = await stat(file)
    if (!status.isFile()) return null
    bytes += status.size
  }
  return bytes
}

/** Read all lines of a log, unpacked if it is gzip. Rejects with the error of the system; lines before it were read. */
export async function readLines ({ file, stdin, onLine, onProgress }: LogSource): Promise<void> {
  const splitter = new LineSplitter(onLine)
  const raw = file === STDIN ? stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES })
  try {
    for await (const chunk of unpack(raw, onProgress)) splitter.push(chunk)
  } finally {
    splitter.end()
  }
}

async function * unpack (raw: Readable, onProgress: (bytes: number) => void): AsyncGenerator<Buffer> {
  const counted = countBytes(raw, onProgress)
  const first = await counted.next()
  if (first.done === true) return
  const chunks = prepend(first.value, counted)
  // The two bytes that gzip begins with (RFC 1952).
  if (first.value[0] !== 0x1f || first.value[1] !== 0x8b) return yield * chunks
  const { pipeline } = await import('node:stream')
  const gunzip = createGunzip({ chunkSize: CHUNK_BYTES })
  // The error of a part that fails is that of the iteration below.
  yield * pipeline(chunks, gunzip, () => {}) as AsyncIterable<Buffer>
}

async function * countBytes (raw: Readable, onProgress: (bytes: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of raw) {
    const bytes = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk))
    if (bytes.length === 0) continue
    onProgress(bytes.length)
    yield bytes
  }
}

async function * prepend (first: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield * rest
}
