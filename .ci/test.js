// `npm test` and `npm run test:full`: everything that must hold in the lanes `quick` and `full`, which lanes.js describes. The
// lane `all` is both in one, with the examples of the quick lane and without the longest tests. Ends with one line of counts.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { failuresIn } from './failures.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const mostFailureLines = 200
const lane = process.argv[2]

// What comes before the tests of a lane: stages one after the other, each of rows that take about as long beside each other.
// Everything of the second stage looks into dist, which the first writes.
const quickStages = [
  [['lint'], ['build']],
  [['types'], ['test:types']]
]
const fullStages = [
  [['lint:package']]
]
const stages = { quick: quickStages, full: fullStages, all: [...quickStages, ...fullStages] }

// Into a file or a log, tap's reporters repaint their whole report for every change unless CI is set.
const env = process.stdout.isTTY ? process.env : { ...process.env, CI: '1' }

/** Runs scripts one after the other until one fails. What each says is shown once it has ended, so that rows do not mix. */
async function runRow (names, failed) {
  for (const name of names) {
    if (failed.length > 0) return
    const script = spawn('npm', ['run', '--silent', name], { env, stdio: ['ignore', 'pipe', 'pipe'] })
    const said = []
    for (const stream of [script.stdout, script.stderr]) stream.on('data', (chunk) => said.push(chunk))
    const [status] = await once(script, 'close')
    console.log(`\n> ${name}`)
    process.stdout.write(Buffer.concat(said))
    if (status !== 0) failed.push(name)
  }
}

/** The scripts that failed. After one of them, no other begins. */
async function runStages () {
  const failed = []
  for (const rows of stages[lane]) await Promise.all(rows.map((names) => runRow(names, failed)))
  return failed
}

function runTap (results) {
  console.log(`\n> tap, the ${lane} lane`)
  const args = ['--reporter=terse', `--output-file=${results}`]
  const laneEnv = { ...env, TEST_LANE: lane, TEST_FULL: lane === 'full' ? '1' : '0' }
  const { status } = spawnSync('npm', ['run', '--silent', 'tap', '--', ...args], { env: laneEnv, stdio: 'inherit' })
  return status === 0
}

// tap closes its report with a line such as `# { total: 7, pass: 4, fail: 1, todo: 1, skip: 1 }`.
function readCounts (results) {
  try {
    const closing = readFileSync(results, 'utf8').match(/^# \{ (total: .*) \}$/m)?.[1] ?? ''
    const counts = new Map(closing.split(', ').map((pair) => {
      const [name, count] = pair.split(': ')
      return [name, Number(count)]
    }))
    const count = (name) => counts.get(name) ?? 0
    return { passed: count('pass'), failed: count('fail'), skipped: count('skip') + count('todo') }
  } catch {
    return { passed: 0, failed: 0, skipped: 0 } // tap ended before its first test
  }
}

// What tap's own report leaves out of a log that is not a terminal.
function printFailures (results) {
  try {
    console.log(['\nFailed:', '', ...failuresIn(readFileSync(results, 'utf8'), mostFailureLines)].join('\n'))
  } catch {
    console.log('\nFailed before the first test.')
  }
}

async function test () {
  const stoppedBy = await runStages()
  if (stoppedBy.length > 0) {
    console.log(`\nStopped: ${stoppedBy.map((name) => `npm run ${name}`).join(' and ')} failed.`)
    return { passed: 0, failed: stoppedBy.length, skipped: 0 }
  }
  const results = `.tap/${lane}.tap`
  rmSync(results, { force: true })
  const hasPassed = runTap(results)
  const counts = readCounts(results)
  // A file that exits badly, or a run without a single assertion, must not read as a success.
  const isSound = hasPassed && counts.passed > 0
  if (!isSound || counts.failed > 0) printFailures(results)
  return isSound || counts.failed > 0 ? counts : { ...counts, failed: 1 }
}

const { passed, failed, skipped } = await test()
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
