// Small test files of one folder share a process: to start one takes longer than their tests do.
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { compiledPath } from './compile.js'

/** A file that is longer than this has a process of its own. */
const MAX_LINES_SMALL = 100
/** Those that share one are no longer than this together, so that no process takes long. */
const MAX_LINES_SHARED = 500

/** These look at their own process, in which nothing else may have happened. */
const ALONE = ['test/observability/metrics-loading.test.ts']

function countLines (file) {
  return readFileSync(file, 'utf8').split('\n').length
}

function groupsOf (files) {
  const groups = []
  const open = new Map()
  for (const file of files) {
    const lines = countLines(file)
    const isSmall = lines <= MAX_LINES_SMALL && !ALONE.includes(file)
    const group = open.get(dirname(file))
    if (isSmall && group !== undefined && group.lines + lines <= MAX_LINES_SHARED) {
      group.files.push(file)
      group.lines += lines
    } else {
      const own = { files: [file], lines }
      groups.push(own)
      if (isSmall) open.set(dirname(file), own)
    }
  }
  return groups.map(({ files }) => files)
}

// As a test, so that tap takes none of the files for the last one before all are loaded. Then their tests run, in order.
function loadingAll (files) {
  return [
    "import t from 'tap'",
    "t.test('load the files that share this process', async () => {",
    ...files.map((file) => `  await import('./${basename(compiledPath(file))}')`),
    '})',
    ''
  ].join('\n')
}

/** The compiled files that tap is to run, for these test files. Those with several are written here. */
export function entriesOf (files) {
  return groupsOf(files).map(([first, ...others]) => {
    if (others.length === 0) return compiledPath(first)
    const entry = join(dirname(compiledPath(first)), `${basename(first, '.test.ts')}-and-others.test.js`)
    writeFileSync(entry, loadingAll([first, ...others]))
    return entry
  })
}
