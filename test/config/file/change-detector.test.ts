// A real file system, checked step by step: no time passes here, so a step may come at any moment of a change.
import {
  appendFileSync, chmodSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, utimesSync, writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import t, { type Test } from 'tap'
import { ChangeDetector, MAX_BURST_MS, QUIET_MS, type CheckResult } from '../../../lib/config/file/change-detector.js'
import { replaceFile, swapLink } from '../../fixtures/watched-file.js'

const CHECKS_IN_A_BURST = MAX_BURST_MS / QUIET_MS

/** Check until the file is settled, as the watch does. */
async function settle (detector: ChangeDetector): Promise<CheckResult> {
  for (let checks = 0; checks <= CHECKS_IN_A_BURST; checks++) {
    const result = await detector.check()
    if (result !== 'unsettled') return result
  }
  throw new Error('a burst that does not end')
}

/** A file with "max = 1", and a detector that knows it. */
async function knownFile (t: Test): Promise<{ readonly path: string, readonly detector: ChangeDetector }> {
  const path = join(t.testdir({ 'rate-limit.toml': 'max = 1' }), 'rate-limit.toml')
  return { path, detector: await detectorOf(t, path) }
}

async function detectorOf (t: Test, path: string): Promise<ChangeDetector> {
  const detector = new ChangeDetector(path, readFileSync(path, 'utf8'))
  t.equal(await settle(detector), 'unchanged', 'what was loaded is no change')
  return detector
}

const CHANGES: ReadonlyArray<readonly [what: string, change: (path: string) => void, result: CheckResult]> = [
  ['written in place', (path) => writeFileSync(path, 'max = 2'), 'changed'],
  ['written in place with another length', (path) => writeFileSync(path, 'max = 10'), 'changed'],
  ['appended to', (path) => appendFileSync(path, '0'), 'changed'],
  ['replaced by rename', (path) => replaceFile(path, 'max = 2'), 'changed'],
  ['deleted and written again', (path) => { unlinkSync(path); writeFileSync(path, 'max = 2') }, 'changed'],
  ['moved away by an editor before it writes the new one', (path) => { renameSync(path, `${path}~`); writeFileSync(path, ''); writeFileSync(path, 'max = 2') }, 'changed'],
  ['written with its size and times kept', (path) => { writeFileSync(path, 'max = 2'); utimesSync(path, 1000, 1000) }, 'changed'],
  ['replaced by a link to another', (path) => { writeFileSync(`${path}.other`, 'max = 2'); swapLink(`${path}.other`, path) }, 'changed'],
  ['replaced by a directory', (path) => { unlinkSync(path); mkdirSync(path) }, 'changed'],
  ['replaced by binary data', (path) => writeFileSync(path, Buffer.from([0xff, 0xfe, 0, 0])), 'changed'],
  ['grown past what a config file may have', (path) => writeFileSync(path, '#'.repeat(5_000_000)), 'changed'],
  ['emptied, and stays so', (path) => truncateSync(path), 'changed'],
  ['deleted', (path) => unlinkSync(path), 'missing'],
  ['deleted with its directory', (path) => rmSync(dirname(path), { recursive: true }), 'missing'],
  ['replaced by a link that leads to itself', (path) => { unlinkSync(path); symlinkSync('rate-limit.toml', path) }, 'missing'],
  ['replaced by a link that leads nowhere', (path) => { unlinkSync(path); symlinkSync('gone.toml', path) }, 'missing'],
  ['touched', (path) => utimesSync(path, 1, 1), 'unchanged'],
  ['given other permissions', (path) => chmodSync(path, 0o444), 'unchanged'],
  ['saved in place as it was', (path) => writeFileSync(path, 'max = 1'), 'unchanged'],
  ['replaced by an equal one', (path) => replaceFile(path, 'max = 1'), 'unchanged'],
  ['given a byte order mark', (path) => writeFileSync(path, '\ufeffmax = 1'), 'unchanged'],
  ['changed and changed back', (path) => { writeFileSync(path, 'max = 2'); writeFileSync(path, 'max = 1') }, 'unchanged'],
  ['left as it was beside a file that is written', (path) => writeFileSync(`${path}.log`, 'a line'), 'unchanged']
]
for (const [what, change, result] of CHANGES) {
  t.test(`a file that is ${what} is ${result}, once, and its next change is seen`, async (t) => {
    const { path, detector } = await knownFile(t)
    change(path)
    t.equal(await detector.check(), what.startsWith('left') ? 'unchanged' : 'unsettled', 'not before it is quiet')
    t.equal(await settle(detector), result)
    t.equal(await settle(detector), 'unchanged')
    rmSync(path, { recursive: true, force: true })
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, 'max = 20')
    t.equal(await settle(detector), 'changed')
  })
}

t.test('a file that cannot be read is changed, and so is one that can be read again', async (t) => {
  // Root may read everything, so it reads as another user, in a folder that this one may enter.
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  chmodSync(folder, 0o755)
  const path = join(folder, 'rate-limit.toml')
  writeFileSync(path, 'max = 1')
  const detector = await detectorOf(t, path)
  const isRoot = process.getuid?.() === 0
  for (const mode of [0, 0o644]) {
    chmodSync(path, mode)
    if (isRoot) process.seteuid?.(65_534)
    try {
      t.equal(await settle(detector), 'changed')
      t.equal(await settle(detector), 'unchanged')
    } finally {
      if (isRoot) process.seteuid?.(0)
    }
  }
})

t.test('a file that differs from what was loaded is changed at once', async (t) => {
  const { path } = await knownFile(t)
  t.equal(await settle(new ChangeDetector(path, 'max = 0')), 'changed')
  t.equal(await settle(new ChangeDetector(path, null)), 'changed')
  unlinkSync(path)
  t.equal(await settle(new ChangeDetector(path, 'max = 0')), 'missing')
})

t.test('a file whose directory was never there is not missing, and changed when it comes', async (t) => {
  const path = join(t.testdir({}), 'etc/app/rate-limit.toml')
  const detector = new ChangeDetector(path, null)
  t.equal(await settle(detector), 'unchanged')
  mkdirSync(dirname(path), { recursive: true })
  t.equal(await settle(detector), 'unchanged')
  writeFileSync(path, 'max = 1')
  t.equal(await settle(detector), 'changed')
})

t.test('a file that returns as it was is changed: a missing one was reported', async (t) => {
  const { path, detector } = await knownFile(t)
  for (let round = 0; round < 2; round++) {
    unlinkSync(path)
    t.equal(await settle(detector), 'missing')
    writeFileSync(path, 'max = 1')
    t.equal(await settle(detector), 'changed')
  }
})

t.test('a file that is away for less than a burst is not missing', async (t) => {
  const { path, detector } = await knownFile(t)
  renameSync(path, `${path}~`)
  for (let check = 0; check < CHECKS_IN_A_BURST; check++) t.equal(await detector.check(), 'unsettled')
  renameSync(`${path}~`, path)
  t.equal(await settle(detector), 'unchanged')
  t.equal(await settle(detector), 'unchanged')
})

t.test('a file that is emptied before it is written is not read by half', async (t) => {
  const { path, detector } = await knownFile(t)
  truncateSync(path)
  for (let check = 0; check < CHECKS_IN_A_BURST; check++) t.equal(await detector.check(), 'unsettled')
  writeFileSync(path, 'max = 2')
  t.equal(await settle(detector), 'changed')
})

t.test('a file that is written in pieces is changed when it is whole', async (t) => {
  const { path, detector } = await knownFile(t)
  writeFileSync(path, '')
  for (const piece of ['max', ' = ', '2', '\n', 'timeWindow', ' = ', '"1s"']) {
    appendFileSync(path, piece)
    t.equal(await detector.check(), 'unsettled')
  }
  t.equal(await settle(detector), 'changed')
  t.equal(await settle(detector), 'unchanged')
})

t.test('a file that is written all the time is changed once in a burst, and its last content is not lost', async (t) => {
  const { path, detector } = await knownFile(t)
  let checks = 0
  for (let round = 0; round < 3; round++) {
    for (let check = 0; check < CHECKS_IN_A_BURST; check++) {
      writeFileSync(path, `max = ${'1'.repeat(++checks)}`)
      t.equal(await detector.check(), 'unsettled')
    }
    writeFileSync(path, `max = ${'1'.repeat(++checks)}`)
    t.equal(await detector.check(), 'changed')
  }
  t.equal(await settle(detector), 'unchanged', 'compared once more when it is quiet')
  writeFileSync(path, 'max = 2')
  t.equal(await settle(detector), 'changed')
})

t.test('a write within the tick of the clock in which a burst was reported is not lost', async (t) => {
  const { path, detector } = await knownFile(t)
  for (let round = 10; round < 15; round++) {
    for (let check = 0; check < CHECKS_IN_A_BURST; check++) {
      writeFileSync(path, `max = ${round}${'1'.repeat(check)}`)
      t.equal(await detector.check(), 'unsettled')
    }
    // Of one length, and of one time on Linux before 6.13, whose file times advance in ticks.
    writeFileSync(path, `max = ${round}222222222222`)
    t.equal(await detector.check(), 'changed')
    writeFileSync(path, `max = ${round}333333333333`)
    t.equal(await settle(detector), 'changed')
  }
})

t.test('a missing file that is back for a burst only is missing again', async (t) => {
  const { path, detector } = await knownFile(t)
  unlinkSync(path)
  t.equal(await settle(detector), 'missing')
  for (let check = 0; check <= CHECKS_IN_A_BURST; check++) {
    writeFileSync(path, `max = ${'1'.repeat(check + 1)}`)
    t.equal(await detector.check(), check < CHECKS_IN_A_BURST ? 'unsettled' : 'changed')
  }
  unlinkSync(path)
  t.equal(await settle(detector), 'missing')
})

t.test('a file that is deleted in the middle of a check, and back before the next, is not missing', async (t) => {
  const { path, detector } = await knownFile(t)
  for (let round = 1; round <= 200; round++) {
    writeFileSync(path, `max = ${'1'.repeat(round)}`)
    t.equal(await detector.check(), 'unsettled')
    const check = detector.check()
    const endMs = performance.now() + round / 400 // before its stat call, in it or after it
    while (performance.now() < endMs);
    unlinkSync(path)
    t.not(await check, 'missing')
    writeFileSync(path, `max = ${'1'.repeat(round)}`)
    t.not(await settle(detector), 'missing')
  }
})

t.test('a ConfigMap of Kubernetes is changed when its ..data link is swapped', async (t) => {
  const dir = t.testdir({
    '..2026_11_24_a': { 'rate-limit.toml': 'max = 1' },
    '..data': t.fixture('symlink', '..2026_11_24_a'),
    'rate-limit.toml': t.fixture('symlink', '..data/rate-limit.toml')
  })
  const detector = await detectorOf(t, join(dir, 'rate-limit.toml'))
  let version = '..2026_11_24_a'
  for (const next of ['..2026_11_24_b', '..2026_11_24_c']) {
    mkdirSync(join(dir, next))
    writeFileSync(join(dir, next, 'rate-limit.toml'), `max = 2 # ${next}`)
    swapLink(next, join(dir, '..data'))
    rmSync(join(dir, version), { recursive: true })
    version = next
    t.equal(await settle(detector), 'changed')
  }
  mkdirSync(join(dir, '..2026_11_24_d'))
  writeFileSync(join(dir, '..2026_11_24_d/rate-limit.toml'), `max = 2 # ${version}`)
  swapLink('..2026_11_24_d', join(dir, '..data'))
  t.equal(await settle(detector), 'unchanged', 'one with the same content')
})

t.test('a swapped link to the file is a change, and so is a write to the file it leads to', async (t) => {
  const dir = t.testdir({ a: { 'one.toml': 'max = 1' }, b: { 'two.toml': 'max = 2' }, here: { 'rate-limit.toml': t.fixture('symlink', '../a/one.toml') } })
  const path = join(dir, 'here/rate-limit.toml')
  const detector = await detectorOf(t, path)
  swapLink('../b/two.toml', path)
  t.equal(await settle(detector), 'changed')
  writeFileSync(join(dir, 'b/two.toml'), 'max = 3')
  t.equal(await settle(detector), 'changed')
  replaceFile(join(dir, 'b/two.toml'), 'max = 4')
  t.equal(await settle(detector), 'changed')
})

t.test('a swapped link on the way to the directory is a change', async (t) => {
  const dir = t.testdir({
    releases: { 1: { etc: { 'rate-limit.toml': 'max = 1' } }, 2: { etc: { 'rate-limit.toml': 'max = 2' } } },
    current: t.fixture('symlink', 'releases/1'),
    app: { config: t.fixture('symlink', '../current/etc') }
  })
  const detector = await detectorOf(t, join(dir, 'app/config/rate-limit.toml'))
  swapLink('releases/2', join(dir, 'current'))
  t.equal(await settle(detector), 'changed')
  swapLink(join(dir, 'releases/1/etc'), join(dir, 'app/config')) // absolute
  t.equal(await settle(detector), 'changed')
})

t.test('a directory that another one takes the place of is a change, and so is one that is deleted and created again', async (t) => {
  const dir = t.testdir({ etc: { 'rate-limit.toml': 'max = 1' }, next: { 'rate-limit.toml': 'max = 2' } })
  const path = join(dir, 'etc/rate-limit.toml')
  const detector = await detectorOf(t, path)
  renameSync(join(dir, 'etc'), join(dir, 'old'))
  renameSync(join(dir, 'next'), join(dir, 'etc'))
  t.equal(await settle(detector), 'changed')
  // The new directory mostly gets the inode of the old one.
  for (const text of ['max = 3', 'max = 4']) {
    rmSync(dirname(path), { recursive: true })
    mkdirSync(dirname(path))
    writeFileSync(path, text)
    t.equal(await settle(detector), 'changed')
  }
})

t.test('a relative path is followed from the working directory', async (t) => {
  const { path } = await knownFile(t)
  const detector = await detectorOf(t, relative(process.cwd(), path))
  replaceFile(path, 'max = 2')
  t.equal(await settle(detector), 'changed')
})
