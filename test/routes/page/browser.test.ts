// The operator page of a real application in a real browser. Everything awaited is an event: playwright waits for elements.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import fastify, { type FastifyInstance } from 'fastify'
import type { Browser, Page } from 'playwright-core'
import t, { type Test } from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { buildRateLimitPlugin } from '../../../lib/plugin/plugin.js'
import { systemClock } from '../../../lib/common/clock.js'
import { browserSkipReason, findBarriers, openTab, startBrowser } from '../../fixtures/browser.js'
import { statuses } from '../../fixtures/app.js'
import { shareRedis } from '../../fixtures/redis-server.js'
import { until } from '../../fixtures/until.js'

t.setTimeout(120_000)

const MARKUP = '<img src=x onerror="document.title=1">'
const BLOCKED = 'user:ada'
const PUBLISH_MS = 200

const options: RateLimitOptions = {
  name: 'shop',
  max: 5,
  timeWindow: '1 hour',
  penalty: { strikes: 1, cooldown: '10 minutes' },
  identify: { custom: ({ headers: { user } }) => typeof user === 'string' ? { id: user } : null },
  rules: [{
    name: 'search',
    match: '/search',
    limits: [{ name: 'burst', max: 50, timeWindow: '1 hour' }, { name: 'strict', max: 2, timeWindow: '1 minute', mode: 'shadow' }]
  }],
  admin: { page: true, onRequest: async () => {} }
}

interface Service {
  readonly app: FastifyInstance
  readonly url: string
}

/** An application that listens, with requests of several clients: one is blocked. */
async function startService (t: Test, changes: RateLimitOptions = {}): Promise<Service> {
  const app = fastify()
  t.teardown(() => app.close())
  await app.register(buildRateLimitPlugin(systemClock, {}, { pagePublishMs: PUBLISH_MS }), { ...options, ...changes })
  app.get('/', async () => 'hello')
  app.get('/search', async () => 'found')
  app.get(`/${MARKUP}`, async () => 'shown')
  const origin = await app.listen({ port: 0, host: '127.0.0.1' })
  return { app, url: `${origin}/admin/rate-limit/page` }
}

async function visit ({ app }: Service): Promise<void> {
  await statuses(app, 8, { url: '/', headers: { user: 'ada' } })
  await statuses(app, 4, { url: '/search', headers: { user: 'bob' } })
  await statuses(app, 1, { url: `/${encodeURI(MARKUP)}`, headers: { user: MARKUP } })
}

function section (page: Page, name: string) {
  return page.getByRole('region', { name, exact: true })
}

/** The text of the state of the switch. */
function stateOfSwitch (page: Page) {
  return page.locator('#switch .badge')
}

async function open (t: Test, browser: Browser, { url }: Service, settings: Parameters<typeof openTab>[3] = {}) {
  const tab = await openTab(t, browser, url, settings)
  await section(tab.page, 'Instances').getByText('this one').waitFor()
  return tab
}

t.test('the operator page in a browser', { skip: browserSkipReason }, async (t) => {
  const [browser, service] = await Promise.all([startBrowser(t), startService(t)])
  await visit(service)

  t.test('it shows outcomes, limits, clients, blocks, instances and policies', async (t) => {
    const { page, faults } = await open(t, browser, service)
    t.equal(await page.title(), 'Rate limits: shop')
    t.equal(await stateOfSwitch(page).textContent(), 'limits on')
    const outcomes = section(page, 'Outcomes of the last hour')
    await outcomes.getByRole('img', { name: /allowed \d+.*The table below has the numbers/ }).waitFor()
    await section(page, 'Limits').getByRole('row', { name: /strict rule:search .*shadow/ }).waitFor()
    await section(page, 'Clients').getByRole('row', { name: /user:ada\s+blocked/ }).waitFor()
    await section(page, 'Blocked clients').getByRole('row', { name: /user:ada/ }).waitFor()
    const policies = section(page, 'Effective policies')
    await policies.getByText('rule:search').first().click()
    await policies.getByRole('row', { name: /rateLimit\.rules\[0\]/ }).first().waitFor()
    t.strictSame(faults, [])
  })

  t.test('a filter by route and tier changes the chart', async (t) => {
    const { page, faults } = await open(t, browser, service)
    const outcomes = section(page, 'Outcomes of the last hour')
    await outcomes.getByRole('img', { name: 'refused 3' }).waitFor()
    await outcomes.getByRole('combobox', { name: 'Route' }).selectOption('/search')
    await outcomes.getByRole('img', { name: 'refused 0, allowed 4' }).waitFor()
    await outcomes.getByRole('button', { name: '/search' }).waitFor()
    await outcomes.locator('#areas').hover()
    await outcomes.getByText(/^\d\d:\d\d:\d\d: refused 0\/s, allowed 0\/s/).waitFor()
    await outcomes.getByRole('button', { name: /^Allowed/ }).click()
    t.equal(await outcomes.getByRole('button', { name: /^Allowed/ }).getAttribute('aria-pressed'), 'false')
    t.equal(await outcomes.locator('path.allowed').count(), 0)
    t.strictSame(faults, [])
  })

  t.test('a client is shown with its standings and its block', async (t) => {
    const { page, faults } = await open(t, browser, service)
    await section(page, 'Clients').getByRole('textbox', { name: 'Client' }).fill(BLOCKED)
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: `Client ${BLOCKED}` })
    await dialog.getByText(/^blocked for 9 min|^blocked for 10 min/).waitFor()
    await dialog.getByRole('row', { name: /default .*5 per 1 h 100 % 0/ }).waitFor()
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'hidden' })

    await section(page, 'Clients').getByRole('button', { name: 'user:bob' }).click()
    const bob = page.getByRole('dialog', { name: 'Client user:bob' })
    await bob.getByRole('row', { name: /burst rule:search 50 per 1 h 8.0 % 46/ }).waitFor()
    await bob.getByRole('button', { name: 'Reset the usage' }).click()
    await page.getByRole('dialog', { name: 'Reset the usage of this client?' }).getByRole('button', { name: 'Reset the usage' }).click()
    await bob.getByText('Nothing is used.').waitFor()
    await bob.getByRole('status').getByText('user:bob: the usage is reset').waitFor()
    await bob.getByRole('button', { name: 'Close' }).click()

    await section(page, 'Clients').getByRole('textbox', { name: 'Client' }).fill('nonsense')
    await page.keyboard.press('Enter')
    await page.getByText(/expected a partition such as/).waitFor()
    // The browser itself logs each response with an error.
    t.strictSame(faults.filter((fault) => !fault.includes('status of 400')), [])
  })

  t.test('another maximum is tried on the requests of the last hour', async (t) => {
    const { page, faults } = await open(t, browser, service)
    await section(page, 'Limits').getByRole('button', { name: /What if default of default/ }).click()
    const dialog = page.getByRole('dialog', { name: 'What if the maximum were different?' })
    await dialog.getByText(/With 5, .* sampled requests would have been refused/).waitFor()
    await dialog.getByLabel('Maximum as a number').fill('50')
    await dialog.getByText(/With 50, 0 of \d+ sampled requests/).waitFor()
    t.strictSame(faults, [])
  })

  t.test('text of clients, routes and errors stays text', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-page-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const configFile = join(folder, 'rate-limit.toml')
    writeFileSync(configFile, '')
    const hostile = await startService(t, { configFile })
    await statuses(hostile.app, 8, { url: `/${encodeURI(MARKUP)}`, headers: { user: MARKUP } })
    writeFileSync(configFile, `max = '${MARKUP}'\n`)
    await t.rejects(hostile.app.rateLimit.reload())
    const { page, faults } = await open(t, browser, hostile)
    await section(page, 'Blocked clients').getByText(`user:${MARKUP}`).waitFor()
    await section(page, 'Clients').getByText(`user:${MARKUP}`).waitFor()
    await section(page, 'Outcomes of the last hour').getByRole('button', { name: MARKUP }).waitFor()
    await section(page, 'Instances').getByText(`got "${MARKUP.replaceAll('"', '\\"')}"`).waitFor()
    await section(page, 'Blocked clients').getByRole('button', { name: `user:${MARKUP}`, exact: true }).click()
    await page.getByRole('dialog').getByText(/^blocked for/).waitFor()
    t.equal(await page.locator('img').count(), 0)
    t.equal(await page.title(), 'Rate limits: shop')
    t.strictSame(faults, [])
  })

  for (const colorScheme of ['light', 'dark'] as const) {
    t.test(`axe-core finds no barrier in the ${colorScheme} scheme, also with an open dialog`, async (t) => {
      const { page, faults } = await open(t, browser, service, { colorScheme })
      t.strictSame(await findBarriers(page), [])
      await section(page, 'Blocked clients').getByRole('button', { name: BLOCKED, exact: true }).click()
      await page.getByRole('dialog').getByText(/^blocked for/).waitFor()
      t.strictSame(await findBarriers(page, 'dialog[open]'), [])
      await page.keyboard.press('Escape')
      await page.getByRole('button', { name: 'Switch…' }).click()
      t.strictSame(await findBarriers(page, 'dialog[open]'), [])
      t.equal(await page.evaluate('getComputedStyle(document.body).backgroundColor'), colorScheme === 'dark' ? 'rgb(15, 19, 24)' : 'rgb(244, 245, 247)')
      t.strictSame(faults, [])
    })
  }

  t.test('at 400 pixels, and at 200 % zoom, nothing is cut off', async (t) => {
    // To a page, a zoom of 200 % is half of the width and twice the pixels.
    for (const [width, deviceScaleFactor] of [[400, 1], [640, 2]] as const) {
      const { page } = await open(t, browser, service, { viewport: { width, height: 450 }, deviceScaleFactor })
      t.equal(await page.evaluate('document.documentElement.scrollWidth'), width)
      await section(page, 'Blocked clients').getByRole('button', { name: 'Lift' }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
    }
  })

  t.test('it goes on after a failure, and says how old the data are', async (t) => {
    const { page } = await open(t, browser, service)
    await page.clock.install()
    await page.reload()
    await section(page, 'Instances').getByText('this one').waitFor()
    await page.route('**/page/data', (route) => route.fulfill({ status: 503, json: { detail: `The store is away ${MARKUP}.` } }))
    await page.clock.fastForward(11_000)
    await page.getByRole('alert').getByText(`The store is away ${MARKUP}. (503) The page shows the state of`).waitFor()
    await section(page, 'Blocked clients').getByRole('button', { name: 'Lift' }).waitFor()
    await page.unroute('**/page/data')
    await page.clock.fastForward(21_000)
    await page.getByRole('alert').getByText('The store is away').waitFor({ state: 'detached' })
  })

  t.test('a block is lifted with the keyboard only', async (t) => {
    const { page, faults } = await open(t, browser, service)
    const lift = section(page, 'Blocked clients').getByRole('button', { name: 'Lift the block of user:ada' })
    const isFocused = 'document.activeElement.getAttribute("aria-label") === "Lift the block of user:ada"'
    for (let pressed = 0; pressed < 100 && await page.evaluate(isFocused) !== true; pressed++) await page.keyboard.press('Tab')
    t.equal(await page.evaluate(isFocused), true, 'it can be reached')
    await page.keyboard.press('Enter')
    const dialog = page.getByRole('dialog', { name: 'Lift the block of this client?' })
    await dialog.getByText('This cannot be undone').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('status').getByText('user:ada: the block is lifted').waitFor()
    await lift.waitFor({ state: 'detached' })
    t.equal(await page.evaluate('document.activeElement.id'), 'blocked-title')
    t.strictSame(await statuses(service.app, 1, { url: '/', headers: { user: 'ada' } }), [200])
    t.strictSame(faults, [])
  })

  t.test('two instances on one Redis are named, and switched together', async (t) => {
    const redis = await shareRedis()
    const [one, other] = await Promise.all([startService(t, { redis: redis.url }), startService(t, { redis: redis.url })])
    const { page, faults } = await open(t, browser, one)
    const instances = section(page, 'Instances').locator('tbody tr')
    await instances.nth(1).waitFor()
    for (const text of await instances.allTextContents()) t.match(text, `${hostname()}:${process.pid}`)
    t.equal(await instances.count(), 2)
    await page.getByRole('button', { name: 'Switch…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Switch limits on or off' })
    await dialog.getByLabel('All instances (2 instances now)').check()
    await dialog.getByRole('button', { name: 'Switch', exact: true }).click()
    await page.getByText('Limits are off on all instances.').waitFor()
    for (const { app } of [one, other]) {
      await until('limits are off', 10_000, async () => (await app.inject({ url: '/', headers: { user: 'eve' } })).headers['x-ratelimit-limit'] === undefined)
    }
    t.strictSame(faults, [])
  })

  t.test('the switch of one instance asks first', async (t) => {
    const { page, faults } = await open(t, browser, service)
    await page.getByRole('button', { name: 'Switch…' }).click()
    const dialog = page.getByRole('dialog', { name: 'Switch limits on or off' })
    await dialog.getByText('Only this instance is known').waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    t.equal(await stateOfSwitch(page).textContent(), 'limits on')
    await page.getByRole('button', { name: 'Switch…' }).click()
    await dialog.getByRole('button', { name: 'Switch', exact: true }).click()
    await page.getByText('Limits are off on this instance.').waitFor()
    await stateOfSwitch(page).getByText('limits off').waitFor()
    t.strictSame(faults, [])
  })

  t.test('before the first request it says what will be there', async (t) => {
    const { page, faults } = await open(t, browser, await startService(t))
    for (const text of ['No request in the last hour.', 'No limit has decided a request yet.', 'No client has been sampled yet.', 'No client is blocked.']) {
      await page.getByText(text).waitFor()
    }
    t.strictSame(faults, [])
  })

  t.test('without hooks it only reads', async (t) => {
    const reading = await startService(t, { admin: { page: true } })
    await visit(reading)
    const { page, faults } = await open(t, browser, reading)
    await section(page, 'Blocked clients').getByText('no block can be lifted here').waitFor()
    t.equal(await page.getByRole('button', { name: /^Lift|^Switch/ }).count(), 0)
    t.strictSame(faults, [])
  })
})
