// A config file that changes under a server that runs.
import { appendFileSync, chmodSync, mkdirSync, rmSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { remainders, statuses } from '../../fixtures/app.js'
import { createFileApp, GONE, REFUSED, RELOADED } from '../../fixtures/reload-file.js'
import { replaceFile, startWatch, swapLink } from '../../fixtures/watched-file.js'

t.test('a file that is written in place, or replaced by rename, is what holds', async (t) => {
  const { app, path, waitForLimit, countLogged } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100\ntimeWindow = "100 hours"\n' }))
  t.strictSame(await remainders(app, '/'), [99])
  writeFileSync(path, 'max = 200\ntimeWindow = "100 hours"\n')
  await waitForLimit(200)
  replaceFile(path, 'max = 300\ntimeWindow = "100 hours"\n')
  await waitForLimit(300)
  t.equal(countLogged(RELOADED), 2)
  t.equal(countLogged(REFUSED), 0)
})

t.test('a ConfigMap whose link is swapped is what holds', async (t) => {
  const directory = t.testdir({
    '..a': { 'rate-limit.toml': 'max = 100' },
    '..data': t.fixture('symlink', '..a'),
    'rate-limit.toml': t.fixture('symlink', '..data/rate-limit.toml')
  })
  const { waitForLimit, countLogged } = await createFileApp(t, directory)
  for (const [before, next, max] of [['..a', '..b', 200], ['..b', '..c', 300]] as const) {
    mkdirSync(join(directory, next))
    writeFileSync(join(directory, next, 'rate-limit.toml'), `max = ${max}`)
    swapLink(next, join(directory, '..data'))
    rmSync(join(directory, before), { recursive: true })
    await waitForLimit(max)
  }
  t.equal(countLogged(RELOADED), 2)
  t.equal(countLogged(GONE), 0)
})

t.test('a file that is deleted leaves its limits, with one warning, and is read again when it is back', async (t) => {
  const { app, path, readLimit, waitForLimit, countLogged, waitForLog } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100' }))
  unlinkSync(path)
  await waitForLog(GONE)
  t.equal(await readLimit(), 100)
  await t.rejects(app.rateLimit.reload(), { code: 'FST_SLUICE_UNREADABLE_FILE', message: /does not exist/ })
  t.equal(await readLimit(), 100)
  writeFileSync(path, 'max = 200')
  await waitForLimit(200)
  t.equal(countLogged(GONE), 1)
  unlinkSync(path)
  await waitForLog(GONE, 2)
  // As it was.
  writeFileSync(path, 'max = 200')
  await waitForLog(RELOADED, 2)
  t.equal(await readLimit(), 200)
})

t.test('a broken file leaves the limits, and the log tells of line and column', async (t) => {
  const { app, path, readLimit, waitForLimit, waitForLog, log } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100' }))
  const ROWS: ReadonlyArray<readonly [text: string, place: string, what: RegExp, why: string]> = [
    ['max = 200\ntimeWindow = "10 parsecs"\n', ':2:1: timeWindow: ', /expected a duration/, 'a wrong value'],
    ['max = 200\n\n[[rules]]\nname = "a"\nmatch = "/a"\nmaks = 1\n', ':6:1: rules[0].maks: ', /did you mean "max"/, 'an unknown option'],
    ['max = 200\ntimeWindow = 10s"\n', ':2:', /./, 'no TOML'],
    ['max = 200\n[[rules]]\nname = "a"\nmatch = "/a"\ncost = 50\nmax = 5\n', ':5:1: rules[0].cost: ', /at most 5/, 'what contradicts another option'],
    ['max = 200\n[[rules]]\nname = "a"\nmatch = "/a"\n[[rules]]\nname = "a"\nmatch = "/b"\n', ':6:1: rules[1].name: ', /already/, 'two rules of one name']
  ]
  for (const [i, [text, place, what, why]] of ROWS.entries()) {
    replaceFile(path, text)
    const message = await waitForLog(REFUSED, i + 1)
    t.ok(message.startsWith(`${path}${place}`), `${why}: ${message}`)
    t.match(message, what, why)
    t.equal(await readLimit(), 100, why)
  }
  t.equal(log.filter(({ msg }) => msg.startsWith(REFUSED)).every(({ source }) => source === 'file'), true)
  await t.rejects(app.rateLimit.reload(), { message: /rules\[1\]\.name/ }, 'by call too')
  replaceFile(path, 'max = 300')
  await waitForLimit(300)
})

t.test('a file that is emptied, or cannot be read, leaves the limits', async (t) => {
  const { path, readLimit, waitForLimit, waitForLog } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100' }))
  truncateSync(path)
  t.match(await waitForLog(REFUSED), /is empty/)
  t.equal(await readLimit(), 100)
  unlinkSync(path)
  mkdirSync(path)
  t.match(await waitForLog(REFUSED, 2), /is a directory/)
  rmSync(path, { recursive: true })
  writeFileSync(path, 'x = 1\n'.repeat(1_000_000))
  t.match(await waitForLog(REFUSED, 3), /1 MiB at most/)
  t.equal(await readLimit(), 100)
  if (process.getuid?.() !== 0) {
    writeFileSync(path, 'max = 150')
    chmodSync(path, 0)
    t.match(await waitForLog(REFUSED, 4), /may not be read/)
    rmSync(path)
  }
  replaceFile(path, '# nothing here\n')
  await waitForLimit(1000)
})

t.test('a burst of writes reloads a few times at most, and ends with the last', async (t) => {
  const { path, waitForLimit, countLogged } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100' }))
  for (let i = 0; i <= 300; i++) {
    if (i % 3 === 0) replaceFile(path, `max = ${1000 + i}`)
    else await writeFile(path, `max = ${1000 + i}`)
  }
  await waitForLimit(1300)
  t.ok(countLogged(RELOADED) <= 5, `${countLogged(RELOADED)} reloads`)
})

t.test('a file that is written in pieces is not read by half', async (t) => {
  const { path, waitForLimit, countLogged } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100' }))
  writeFileSync(path, '')
  for (const piece of ['max = 2', '00\n', 'timeWindow = ', '"1 hour"\n']) {
    appendFileSync(path, piece)
    await delay(20)
  }
  await waitForLimit(200)
  t.equal(countLogged(REFUSED), 0)
  t.equal(countLogged(RELOADED), 1)
})

t.test('what cannot change while the server runs is refused by its name and place, with all else that the file says', async (t) => {
  const { path, readLimit, waitForLimit, waitForLog } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100\ndeadline = 40\nhook = "preHandler"\n' }))
  const kept = 'deadline = 40\nhook = "preHandler"\n'
  const ROWS: ReadonlyArray<readonly [text: string, place: string]> = [
    [`${kept}max = 200\nname = "other"\n`, ':4:1: name: '],
    [`${kept}redis = "redis://127.0.0.1:1"\nmax = 200\n`, ':3:1: redis: '],
    [`${kept}max = 200\n[memory]\nmaxKeys = 5\n`, ':4:2: memory: '],
    [`${kept}max = 200\n[identify]\ndefaultTier = "gold"\n`, ':4:2: identify: '],
    [`${kept}max = 200\nhealth = false\n`, ':4:1: health: '],
    [`${kept}max = 200\nreloadOnSignal = true\n`, ':4:1: reloadOnSignal: '],
    ['max = 200\ndeadline = 50\nhook = "preHandler"\n', ':2:1: deadline: '],
    ['max = 200\ndeadline = 40\nhook = "preParsing"\n', ':3:1: hook: ']
  ]
  for (const [i, [text, place]] of ROWS.entries()) {
    replaceFile(path, text)
    const message = await waitForLog(REFUSED, i + 1)
    t.ok(message.startsWith(`${path}${place}cannot be changed`), message)
    t.equal(await readLimit(), 100)
  }
  replaceFile(path, 'max = 200\nhook = "preHandler"\n')
  t.match(await waitForLog(REFUSED, ROWS.length + 1), /deadline/, 'one that is left out is named, too')
  replaceFile(path, 'max = 200\ndeadline = 40\n')
  t.match(await waitForLog(REFUSED, ROWS.length + 2), /hook/)
  t.equal(await readLimit(), 100)
  replaceFile(path, `${kept}max = 200\n`)
  await waitForLimit(200)
})

t.test('a file that changes between registration and ready is read once the application is ready', async (t) => {
  const directory = t.testdir({ 'rate-limit.toml': 'max = 100' })
  const { waitForLimit, countLogged } = await createFileApp(t, directory, {}, () => { replaceFile(join(directory, 'rate-limit.toml'), 'max = 200') })
  await waitForLimit(200)
  t.equal(countLogged(RELOADED), 1)
})

t.test('after close no file is read, and none is missed', async (t) => {
  const { app, path, waitForLimit, countLogged } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 100' }))
  replaceFile(path, 'max = 200')
  await waitForLimit(200)
  await app.close()
  // Sees what the closed one would have seen.
  const watch = startWatch(t, path)
  replaceFile(path, 'max = 300')
  await watch.changed('max = 300')
  unlinkSync(path)
  await watch.missing(1)
  t.equal(countLogged(RELOADED), 1)
  t.equal(countLogged(GONE), 0)
})

t.test('a client that the file lets on goes on', async (t) => {
  const { app, path, waitForLimit } = await createFileApp(t, t.testdir({ 'rate-limit.toml': 'max = 2\ntimeWindow = "100 hours"' }))
  t.strictSame(await statuses(app, 3), [200, 200, 429])
  replaceFile(path, 'max = 10\ntimeWindow = "100 hours"')
  await waitForLimit(10)
  t.equal((await app.inject('/')).statusCode, 200)
})
