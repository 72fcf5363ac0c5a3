// Runs tests for Stryker, all in one process: see mutation-tests.js. A plugin of Stryker, which mutation.js configures.
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import fc from 'fast-check'

/** What the first run has measured. Stryker starts another process after a mutant that does not end. */
const FIRST_RUN = '.mutation-first-run.json'

/** The same of a test that waits, on a machine that may be busy. */
const MAX_REAL_MS = 30_000

/** A test that takes so many times as long as before, and a while, waits for what a mutant never does. */
const MAX_TIME_RATIO = 4
const MAX_WAIT_MS = 1000

/** A mutant that a test reaches so many times as often as before has made a loop without end. */
const MAX_HIT_RATIO = 20
const MAX_FEW_HITS = 10_000

const NEVER_ENDED = Symbol('never ended')

const PASSED = 0

/** Where instrumented code reads which mutant is active, and writes what it has covered. */
const context = globalThis.__stryker__ ??= {}

function readKilled (log) {
  const lines = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n') : []
  const results = lines.filter((line) => line !== '').map((line) => JSON.parse(line)).filter(({ status }) => status === 'killed')
  return new Map(results.map(({ mutant, killedBy }) => [mutant, killedBy]))
}

class MutationRunner {
  static inject = ['options']
  #files
  #maxTestMs
  /** Milliseconds of the processor for all tests of one mutant. */
  #maxMutantMs
  /** How often each test has noticed a mutant of a source file. */
  #kills = new Map()
  /** A file with a line for each mutant that was run. */
  #log
  #killed = null
  #tests = []
  /** Loads tap, see `init`. */
  #program = null
  /** Milliseconds of the processor for each test, and in truth. */
  #times = new Map()
  #tookMs = new Map()
  /** How often each test reaches each mutant. */
  #hits = {}

  constructor ({ inProcess }) {
    this.#files = inProcess.files
    this.#maxTestMs = inProcess.maxTestMs
    this.#maxMutantMs = inProcess.maxMutantMs
    this.#log = inProcess.log
  }

  capabilities () {
    return { reloadEnvironment: false }
  }

  async init () {
    // tap reports its time limit to its parent, which here is Stryker. Its own messages are text.
    const send = process.send.bind(process)
    process.send = (message) => typeof message === 'string' && send(message)
    process.once('disconnect', () => { process.exit() })
    // The first counterexample is enough.
    fc.configureGlobal({ endOnFailure: true })
  }

  async #load () {
    if (this.#program !== null) return
    this.#program = await import('./mutation-tests.js')
    this.#tests = await this.#program.loadTests(this.#files)
    if (!existsSync(FIRST_RUN)) return
    const { times, tookMs, hits } = JSON.parse(readFileSync(FIRST_RUN, 'utf8'))
    this.#times = new Map(times)
    this.#tookMs = new Map(tookMs)
    this.#hits = hits
  }

  async dryRun () {
    await this.#load()
    const tests = []
    for (const test of this.#tests) {
      context.currentTestId = test.id
      const startUs = process.cpuUsage().user
      const startMs = performance.now()
      const failureMessage = await this.#program.runTest(test)
      const timeSpentMs = (process.cpuUsage().user - startUs) / 1000
      this.#tookMs.set(test.id, performance.now() - startMs)
      const isCheap = timeSpentMs <= this.#maxTestMs && this.#tookMs.get(test.id) <= MAX_REAL_MS
      // A test that fails in one process with the others, or that passes once only, would kill every mutant.
      if (failureMessage === null && isCheap && await this.#program.runTest(test) === null) {
        tests.push({ id: test.id, name: test.id, fileName: test.file, timeSpentMs, status: PASSED })
      } else {
        delete context.mutantCoverage?.perTest[test.id]
        appendFileSync(this.#log, `${JSON.stringify({ leftOut: test.id, timeSpentMs, failureMessage })}\n`)
      }
    }
    context.currentTestId = undefined
    this.#times = new Map(tests.map(({ id, timeSpentMs }) => [id, timeSpentMs]))
    this.#hits = context.mutantCoverage?.perTest ?? {}
    writeFileSync(FIRST_RUN, JSON.stringify({ times: [...this.#times], tookMs: [...this.#tookMs], hits: this.#hits }))
    return { status: 'complete', tests, mutantCoverage: context.mutantCoverage }
  }

  /** A mutant that was killed before is not run again. So a run that was ended goes on where it was. */
  async mutantRun (options) {
    const { fileName, location: { start, end }, replacement } = options.activeMutant
    const mutant = JSON.stringify([fileName.replace(/^.*\/lib\//, 'lib/'), start, end, replacement])
    this.#killed ??= readKilled(this.#log)
    if (this.#killed.has(mutant)) return { status: 'killed', killedBy: [this.#killed.get(mutant)], failureMessage: 'as before', nrOfTests: 0 }
    const result = await this.#runMutant(options)
    appendFileSync(this.#log, `${JSON.stringify({ mutant, status: result.status, killedBy: result.killedBy?.[0] })}\n`)
    return result
  }

  async #runMutant ({ activeMutant, testFilter, mutantActivation }) {
    if (mutantActivation === 'static') context.activeMutant = activeMutant.id
    try {
      await this.#load()
    } catch (error) {
      return { status: 'killed', killedBy: [this.#tests[0]?.id ?? 'loading'], failureMessage: String(error), nrOfTests: 0 }
    }
    context.activeMutant = activeMutant.id
    const filter = testFilter === undefined ? null : new Set(testFilter)
    const kills = this.#kills.get(activeMutant.fileName) ?? new Map()
    this.#kills.set(activeMutant.fileName, kills)
    const ownFile = activeMutant.fileName.replace(/^.*\/lib\//, 'test/').replace(/\.ts$/, '.test.ts')
    const tests = this.#order(this.#tests.filter(({ id }) => filter === null ? this.#times.has(id) : filter.has(id)), kills, ownFile)
    const beganUs = process.cpuUsage().user
    let nrOfTests = 0
    for (const test of tests) {
      if ((process.cpuUsage().user - beganUs) / 1000 > this.#maxMutantMs) break
      nrOfTests++
      context.hitCount = 0
      context.hitLimit = MAX_HIT_RATIO * (this.#hits[test.id]?.[activeMutant.id] ?? 0) + MAX_FEW_HITS
      const failureMessage = await this.#runInTime(test)
      if (context.hitCount > context.hitLimit) return { status: 'timeout', reason: 'a loop without end' }
      if (failureMessage === null) continue
      // A static mutant is in what was loaded.
      if (mutantActivation !== 'static' && !await this.#passesWithout(activeMutant, test)) continue
      kills.set(test.id, (kills.get(test.id) ?? 0) + 1)
      if (failureMessage !== NEVER_ENDED) return { status: 'killed', killedBy: [test.id], failureMessage, nrOfTests }
      if (await this.#runInTime(test) === NEVER_ENDED) return { status: 'killed', killedBy: [test.id], failureMessage: 'never ended', nrOfTests }
    }
    return { status: 'survived', nrOfTests }
  }

  /** Whether the mutant is why a test failed, and not a busy machine, or what an earlier mutant has left. */
  async #passesWithout (activeMutant, test) {
    context.activeMutant = undefined
    const failureMessage = await this.#runInTime(test)
    context.activeMutant = activeMutant.id
    return failureMessage === null
  }

  /** The test goes on after its time is over. What it started has its own keys and timers. */
  async #runInTime (test) {
    const maxMs = MAX_TIME_RATIO * (this.#tookMs.get(test.id) ?? 0) + MAX_WAIT_MS
    let timer
    const late = new Promise((resolve) => { timer = setTimeout(() => { resolve(NEVER_ENDED) }, maxMs) })
    try {
      return await Promise.race([this.#program.runTest(test), late])
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * First those that have noticed mutants of the same file, then those of the test file that is named after it, then the fastest
   * of each test file, then the second ones, and so on.
   */
  #order (tests, kills, ownFile) {
    const ranks = new Map()
    const counts = new Map()
    for (const { id, file } of tests.toSorted((a, b) => this.#timeOf(a) - this.#timeOf(b))) {
      const rank = counts.get(file) ?? 0
      counts.set(file, rank + 1)
      ranks.set(id, rank)
    }
    const killsOf = ({ id }) => kills.get(id) ?? 0
    const isOwn = ({ file }) => Number(file === ownFile)
    return tests.toSorted((a, b) => killsOf(b) - killsOf(a) || isOwn(b) - isOwn(a) || ranks.get(a.id) - ranks.get(b.id) || this.#timeOf(a) - this.#timeOf(b))
  }

  #timeOf ({ id }) {
    return this.#tookMs.get(id) ?? 0
  }

  async dispose () {
    await this.#program?.endTests()
  }
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'in-process', injectableClass: MutationRunner }]
