// `npm run mutation -- --only lua`: the mutants of the Lua scripts, one after the other, under the tests that compare the scripts with
// their twins. A small mutator of our own, since there is none for Lua. A process of its own runs the tests (mutate-lua-tests.js), and is
// ended with its Redis where a mutant never returns.
//   --mutate NAME  only this script, such as take; may be repeated
//   --survivors    only what survived the last time, found again by its text, and is not in docs/mutants.md
// Results are in .mutation/lua.json, where those of the other scripts are kept.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { Redis } from 'ioredis'
import { parseArgs } from 'node:util'
import { compile } from './compile.js'
import { createExplainer } from './explained-mutants.js'
import { startSharedRedis } from './redis.js'

const SCRIPTS = 'lib/stores/redis/scripts'

/** A mutant that takes longer never returns. */
const TIMEOUT_MS = 180_000

/** So does a script that runs longer: Redis then ends it, which fails the test, or is ended with it. */
const SCRIPT_LIMIT_MS = 1500

/** What the tests cost, and which are left out: found out once for each. */
const KNOWN_TESTS = '.mutation/lua-tests.json'

const COMPARISONS = { '<': '<=', '<=': '<', '>': '>=', '>=': '>', '==': '~=', '~=': '==' }
const OPERATORS = { ...COMPARISONS, '+': '-', '-': '+', '*': '/', '/': '*', and: 'or', or: 'and', true: 'false', false: 'true' }
const TOKEN = /'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|\d+(?:\.\d+)?|<=|>=|==|~=|\.\.\.?|[-+*/%<>=(){}[\],.;:#^]/g
const CONDITION = /^( *(?:else)?if )(.+)( then\b.*)$/
const ASSIGNMENT = /^ *(?! |local |return |for |if |elseif |function )[\w.[\]#, +*-]+ = (?!function)[^{]+$/
const CALL = /^ *(?! |if |return |local )[\w.]+\([^{]*\)$/
const CONTINUES = /(?:[=,(+*/-]|\band|\bor|\bthen|\bdo)$/

/** The mutants of one line: its text before and after. */
function * mutateLine (line) {
  if (/^ *(?:--|$)/.test(line)) return
  let before = ''
  for (const { 0: token, index } of line.matchAll(TOKEN)) {
    const replace = (text) => line.slice(0, index) + text + line.slice(index + token.length)
    const isBinary = /[\w)\]]$/.test(before) && !/^(?:and|or|return|then|not)$/.test(before)
    if (token in OPERATORS && (token !== '-' || isBinary)) yield replace(OPERATORS[token])
    if (token === 'not') yield replace('')
    if (/^\d/.test(token)) yield replace(String(Number(token) + 1))
    before = token
  }
  const condition = CONDITION.exec(line)
  // Of a single comparison that is the mutant of its operator.
  if (condition !== null && !/^\S+ [=~]= \S+$/.test(condition[2])) yield `${condition[1]}not (${condition[2]})${condition[3]}`
  if ((ASSIGNMENT.test(line) || CALL.test(line)) && !CONTINUES.test(line)) yield ''
}

/** A script as it is, which must survive, then all mutants. */
function * createMutants (only) {
  let isFirst = true
  for (const file of readdirSync(SCRIPTS).filter((file) => file.endsWith('.lua')).sort()) {
    const script = file.replace('.lua', '')
    if (only !== undefined && !only.includes(script)) continue
    const text = readFileSync(`${SCRIPTS}/${file}`, 'utf8')
    const lines = text.split('\n')
    if (isFirst) yield { script, line: 0, text }
    isFirst = false
    for (const [index, line] of lines.entries()) {
      for (const mutated of mutateLine(line)) {
        yield { script, line: index + 1, before: line.trim(), after: mutated.trim(), text: lines.with(index, mutated).join('\n') }
      }
    }
  }
}

/** A process with the tests, and its Redis. `known`: what an earlier one has found out about the tests. */
async function startTests (known, isFirst = false) {
  const redis = await startSharedRedis()
  const env = { ...process.env, TEST_REDIS_PORT: String(redis.port), KNOWN_TESTS: JSON.stringify(known), MUTATION_EXAMPLES: 'all', MUTATED_SCRIPTS: JSON.stringify(mutate ?? null) }
  const child = fork('.ci/mutate-lua-tests.js', { env, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  let watcher = null
  const stop = () => { watcher?.disconnect(); child.kill('SIGKILL'); redis.stop() }
  process.once('exit', stop)
  const [{ failures, costs, unfit }] = await once(child, 'message')
  watcher = new Redis(redis.port, '127.0.0.1')
  await watcher.config('SET', 'lua-time-limit', String(SCRIPT_LIMIT_MS))
  if (failures.length > 0) throw new Error(`These tests fail without a mutant: ${failures.join(', ')}`)
  writeFileSync(KNOWN_TESTS, JSON.stringify({ costs, unfit }, null, 1))
  if (unfit.length > 0 && isFirst) console.log(`Left out, since they are slow or pass only once:\n${unfit.join('\n')}`)
  return { child, watcher, stop, known: { costs, unfit } }
}

/** End a script that runs for too long. One that has written can only be ended with its server. */
async function endLongScript (watcher, giveUp) {
  try {
    await watcher.ping()
  } catch {
    await watcher.script('KILL').catch((error) => { if (/^UNKILLABLE/.test(error.message)) giveUp() })
  }
}

async function runMutant ({ child, watcher }, { script, text }) {
  const timer = new AbortController()
  const giveUp = () => { timer.abort() }
  const timeout = setTimeout(giveUp, TIMEOUT_MS)
  const watch = setInterval(endLongScript, 500, watcher, giveUp)
  child.send({ script, text })
  try {
    const [{ killedBy }] = await once(child, 'message', { signal: timer.signal })
    return killedBy
  } catch {
    return 'timeout'
  } finally {
    clearTimeout(timeout)
    clearInterval(watch)
  }
}

const RESULTS = '.mutation/lua.json'

function readResults () {
  return existsSync(RESULTS) ? JSON.parse(readFileSync(RESULTS, 'utf8')) : []
}

const isSame = (one) => (other) => one.script === other.script && one.before === other.before && one.after === other.after

const explainers = new Map()

function isExplained ({ script, before, after }) {
  if (!explainers.has(script)) explainers.set(script, createExplainer(`${SCRIPTS}/${script}.lua`))
  return explainers.get(script)({ before, after })
}

function printScores (results) {
  for (const script of new Set(results.map(({ script }) => script))) {
    const own = results.filter((result) => result.script === script)
    const survivors = own.filter(({ killedBy }) => killedBy === null)
    const left = survivors.filter((result) => !isExplained(result))
    const killed = own.length - survivors.length
    console.log(`${script.padEnd(20)} ${killed} of ${own.length} killed, ${(100 * killed / own.length).toFixed(1)} %, ` +
      `${survivors.length - left.length} survivors explained, ${left.length} not`)
    for (const { line, before, after } of left) console.log(`  line ${line}: ${before}\n  became: ${after}`)
  }
}

const { values: { mutate, survivors } } = parseArgs({ options: { mutate: { type: 'string', multiple: true }, survivors: { type: 'boolean' } } })
process.once('SIGTERM', () => { process.exit(1) }) // which ends what it started
await compile()
mkdirSync('.mutation', { recursive: true })
let tests = await startTests(existsSync(KNOWN_TESTS) ? JSON.parse(readFileSync(KNOWN_TESTS, 'utf8')) : null, true)
const isChosen = ({ script }) => mutate === undefined || mutate.includes(script)
const before = readResults()
const others = before.filter((result) => !isChosen(result))
const known = survivors ? before.filter((result) => isChosen(result) && (result.killedBy !== null || isExplained(result))) : []
const results = []
for (const mutant of createMutants(mutate)) {
  const { text, ...result } = mutant
  const killer = known.find(isSame(mutant))
  if (killer !== undefined) {
    results.push({ ...result, killedBy: killer.killedBy })
    continue
  }
  const killedBy = await runMutant(tests, mutant)
  if (mutant.line === 0) {
    if (killedBy !== null) throw new Error(`${mutant.script} fails without a change: ${killedBy}`)
    continue
  }
  results.push({ ...result, killedBy })
  writeFileSync(RESULTS, JSON.stringify([...others, ...results], null, 1))
  if (killedBy === null) console.log(`survived ${result.script}.lua:${result.line}\n-  ${result.before}\n+  ${result.after}`)
  if (killedBy !== 'timeout') continue
  tests.stop()
  tests = await startTests(tests.known)
}
tests.stop()
writeFileSync(RESULTS, JSON.stringify([...others, ...results], null, 1))
printScores(results)
process.exit()
