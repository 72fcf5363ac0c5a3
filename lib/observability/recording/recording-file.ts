import { constants, type Stats } from 'node:fs'
import { open, type FileHandle } from 'node:fs/promises'

/** Appends text to a file, up to a size. One call at a time. */
export class RecordingFile {
  readonly #path: string
  readonly #maxBytes: number
  #handle: FileHandle | null = null
  /** Whether the file may end within a line. */
  #isCut = false

  constructor (path: string, maxBytes: number) {
    this.#path = path
    this.#maxBytes = maxBytes
  }

  /** Returns whether the text was appended: not if the file would be too large. Rejects with the error of the system. */
  async append (text: string): Promise<boolean> {
    const handle = this.#handle ??= await this.#open()
    // Other processes may append to the same file.
    const { size } = await handle.stat()
    const bytes = Buffer.from(this.#isCut ? `\n${text}` : text)
    if (size + bytes.length > this.#maxBytes) return false
    this.#isCut = true
    await handle.appendFile(bytes)
    this.#isCut = false
    return true
  }

  async close (): Promise<void> {
    await this.#handle?.close()
    this.#handle = null
  }

  /** A symbolic link is not followed: it could lead to another file of the user that the process has. */
  async #open (): Promise<FileHandle> {
    const handle = await open(this.#path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW, 0o600)
    this.#isCut = hasContent(await handle.stat())
    return handle
  }
}

/** A process that was killed may have left a part of a line. */
function hasContent (stats: Stats): boolean {
  return stats.isFile() && stats.size > 0
}
