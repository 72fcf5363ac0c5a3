import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { systemClock, type Clock } from '../../lib/common/clock.js'
import { ManualClock } from '../fixtures/manual-clock.js'
import { statuses } from '../fixtures/app.js'
import { createSnippetApp, readPage, root, parseSnippets } from './snippets.js'

const page = readPage('docs/algorithms.md')

/** The headings whose snippets are run by a test below. */
const RUN = new Set<string>()

function appUnder (t: Test, heading: string, clock: Clock = new ManualClock()) {
  RUN.add(heading)
  return createSnippetApp(t, page, heading, {}, clock)
}

t.test('the plots and the tables beside them show what the algorithms do', async (t) => {
  const check = spawnSync('node', ['docs/plots.js', '--check'], { cwd: root, encoding: 'utf8' })
  t.equal(check.status, 0, check.stderr)
})

t.test('a plot can be read in the light and in the dark, and by whoever cannot see it', async (t) => {
  for (const [, words, path] of page.matchAll(/!\[([^\]]+)\]\(([^)]+)\)/g)) {
    const svg = readFileSync(new URL(`docs/${path}`, root), 'utf8')
    t.match(svg, /@media \(prefers-color-scheme: dark\)/, path)
    t.match(svg, /<title id="title">.+<\/title>\n<desc id="desc">.+ passed\.<\/desc>/, path)
    t.ok(words.length > 60, path)
  }
})

t.test('what the words say of the plots is in the tables', async (t) => {
  const [edge, overload] = ['edge', 'overload'].map((name) => {
    const [, table] = new RegExp(`<!-- ${name}-table -->\n([^]*?)<!--`).exec(page) ?? []
    return new Map(Array.from(table.matchAll(/^\| `'([a-z-]+)'` \| (.+) \|$/gm), ([, algorithm, numbers]) => [algorithm, numbers.split(' | ').map(Number)]))
  })
  t.strictSame(edge.get('fixed-window'), [1 + 9 + 10, 19, 19], 'nine of them still fit into it, and ten into the next')
  t.strictSame(edge.get('sliding-window'), [11, 10, 10], 'never more than 10')
  t.strictSame(edge.get('token-bucket'), [1 + 10 + 2, 12, 11], 'its ten, and then one for each second')
  t.equal(overload.get('token-bucket')?.[1], 19, 'the first ten seconds had 19')
  t.strictSame(overload.get('fixed-window'), overload.get('sliding-window'), 'both windows serve in gusts')
})

t.test('a small burst passes at once, and what comes after it is held', async (t) => {
  const app = await appUnder(t, 'How large a burst', systemClock)
  const answers = await Promise.all(Array.from({ length: 4 }, () => app.inject('/picture')))
  t.strictSame(answers.map(({ body }) => body), ['allowed', 'allowed', 'allowed', 'delayed'])
  t.equal(answers[0].headers['x-ratelimit-limit'], '3')
})

t.test('several limits hold at once', async (t) => {
  const clock = new ManualClock()
  const app = await appUnder(t, 'Several at once', clock)
  t.strictSame(await statuses(app, 11, '/api'), [...Array(10).fill(200), 429])
  for (let second = 1; second < 10; second++) {
    clock.advance(1_000_000)
    await statuses(app, 10, '/api')
  }
  clock.advance(1_000_000)
  t.match((await app.inject('/api')).json(), { 'violated-policies': ['minute'] })
})

t.test('each heading with a snippet has a test', async (t) => {
  t.strictSame(new Set(parseSnippets(page).map(({ heading }) => heading)), RUN)
})
