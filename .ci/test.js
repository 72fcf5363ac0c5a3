// `npm test`: everything that must hold, cheapest first, ending with one line of counts.
import { spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { failuresIn } from './failures.js'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))

const results = '.tap/results.tap'
const mostFailureLines = 200

// Into a file or a log, tap's reporters repaint their whole report for every change unless CI is set.
const env = process.stdout.isTTY ? process.env : { ...process.env, CI: '1' }

function runScript (name, ...args) {
  console.log(`\n> ${name}`)
  const { status } = spawnSync('npm', ['run', '--silent', name, '--', ...args], { env, stdio: 'inherit' })
  return status === 0
}

// tap closes its report with a line such as `# { total: 7, pass: 4, fail: 1, todo: 1, skip: 1 }`.
function readCounts () {
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
function printFailures () {
  try {
    console.log(['\nFailed:', '', ...failuresIn(readFileSync(results, 'utf8'), mostFailureLines)].join('\n'))
  } catch {
    console.log('\nFailed before the first test.')
  }
}

function test () {
  const stopped = ['lint', 'types', 'build', 'test:types', 'lint:package'].find((name) => !runScript(name))
  if (stopped !== undefined) {
    console.log(`\nStopped: npm run ${stopped} failed.`)
    return { passed: 0, failed: 1, skipped: 0 }
  }
  rmSync(results, { force: true })
  const hasPassed = runScript('test:unit', '--reporter=terse', `--output-file=${results}`)
  const counts = readCounts()
  // A file that exits badly, or a run without a single assertion, must not read as a success.
  const isSound = hasPassed && counts.passed > 0
  if (!isSound || counts.failed > 0) printFailures()
  return isSound || counts.failed > 0 ? counts : { ...counts, failed: 1 }
}

const { passed, failed, skipped } = test()
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exitCode = failed > 0 ? 1 : 0
