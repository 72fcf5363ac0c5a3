// Small test files of one room share a process: to start a process takes longer than their tests.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { COMPILED, toCompiledPath } from './compile.js'
import { isSlow } from './lanes.js'

/** A longer file has its own process. */
const MAX_LINES_SMALL = 250
/** The lines of all files that share a process, so that no process takes long. With all examples, each takes longer. */
const MAX_LINES_SHARED = process.env.TEST_FULL === '1' ? 800 : 2400

/** These check the state of their process, or change it. */
const ALONE = ['test/config/defaults.test.ts', 'test/observability/metrics/loading.test.ts']

function countLines (file) {
  return readFileSync(file, 'utf8').split('\n').length
}

function groupFiles (files) {
  const groups = []
  const open = new Map()
  for (const file of files) {
    const lines = countLines(file)
    const isSmall = lines <= MAX_LINES_SMALL && !isSlow(file) && !ALONE.includes(file)
    const [, room] = file.split('/')
    const group = open.get(room)
    if (isSmall && group !== undefined && group.lines + lines <= MAX_LINES_SHARED) {
      group.files.push(file)
      group.lines += lines
    } else {
      const own = { files: [file], lines }
      groups.push(own)
      if (isSmall) open.set(room, own)
    }
  }
  return groups.map(({ files }) => files)
}

// The files are loaded inside a test, so that tap does not end the run between two of them. Then their tests run in order.
function formatEntry (files) {
  return [
    "import t from 'tap'",
    "t.test('load the files that share this process', async () => {",
    ...files.map((file) => `  await import('./${relative(COMPILED, toCompiledPath(file))}')`),
    '})',
    ''
  ].join('\n')
}

/** Slow tests wait, or use all cores: they run beside others, and not all of them last. */
function spreadSlow (groups) {
  const isGroupSlow = ([first]) => isSlow(first)
  const slow = groups.filter(isGroupSlow)
  const others = groups.filter((group) => !isGroupSlow(group))
  return groups.map((_, index) => {
    const isTurnOfSlow = slow.length * others.length > 0 && slow.length * (groups.length - index) > groups.length * others.length
    return (isTurnOfSlow || others.length === 0 ? slow : others).shift()
  })
}

/**
 * While a file runs that tap runs alone ("serial" in package.json), nothing runs beside it: tap waits for all others first. So
 * these come last, and it waits once.
 */
function putSerialLast (groups) {
  const { tap } = JSON.parse(readFileSync('package.json', 'utf8'))
  const isSerial = ([first]) => tap.serial.some((folder) => toCompiledPath(first).startsWith(`${folder}/`))
  return [...groups.filter((group) => !isSerial(group)), ...groups.filter(isSerial)]
}

/** The compiled files that tap has to run for these test files. One for several test files is written here. */
export function createEntries (files) {
  return putSerialLast(spreadSlow(groupFiles(files))).map(([first, ...others]) => {
    if (others.length === 0) return toCompiledPath(first)
    const entry = join(COMPILED, `${first.replace(/\.test\.ts$/, '').replaceAll('/', '-')}-and-others.test.js`)
    writeFileSync(entry, formatEntry([first, ...others]))
    return entry
  })
}
