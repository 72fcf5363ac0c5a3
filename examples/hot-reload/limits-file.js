import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { RELOAD_CHANNEL } from 'fastify-sluice'
import { temporaryFolder } from '../shared/temporary-folder.js'

/** @import { ReloadMessage } from 'fastify-sluice' */

const MOST_MS = 20_000

/** What becomes of the next change. @returns {Promise<ReloadMessage>} */
function nextReload () {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      unsubscribe(RELOAD_CHANNEL, listen)
      reject(new Error(`no reload within ${MOST_MS} ms`))
    }, MOST_MS)
    /** @param {unknown} message */
    function listen (message) {
      clearTimeout(timer)
      unsubscribe(RELOAD_CHANNEL, listen)
      resolve(/** @type {ReloadMessage} */ (message))
    }
    subscribe(RELOAD_CHANNEL, listen)
  })
}

/** A copy of the file of limits, which an operator edits. */
export class LimitsFile {
  /** @param {string} path */
  constructor (path) {
    this.path = path
  }

  /** A copy in a folder of its own. */
  static async copyOf (/** @type {URL} */ original) {
    const path = join(temporaryFolder(), 'rate-limit.toml')
    await copyFile(original, path)
    return new LimitsFile(path)
  }

  /**
   * Edits the file, and waits until the plugin has taken it, or refused it.
   *
   * @param {(text: string) => string} edit
   */
  async change (edit) {
    const text = edit(await readFile(this.path, 'utf8'))
    // Written beside it, and renamed: nobody reads half a file.
    await writeFile(`${this.path}.new`, text)
    const reload = nextReload()
    await rename(`${this.path}.new`, this.path)
    return await reload
  }
}
