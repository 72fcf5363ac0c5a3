/**
 * Takes the pictures of the operator page, in both colour schemes. Run by hand, where there are Chromium and pngquant:
 *
 *   npm run build && node docs/screenshots.js
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { openShop } from './screenshots/shop.js'

const IMAGES = fileURLToPath(new URL('images/', import.meta.url))
const PROGRAM = process.env.CHROMIUM ?? '/usr/bin/chromium-headless-shell'
const WIDTH = 1280
/** Fixed, so that two runs show the same times. */
const NOW_MS = Date.parse('2026-03-10T14:25:00Z')
/** Around the sections of a picture. */
const MARGIN = 12
const CLIENT = 'ip:198.51.100.23'

/**
 * The shop as three instances on one Redis: the time of a Redis cannot be moved, so it runs alone, in memory. All other
 * numbers are those of the page.
 */
function asFleet (state) {
  const [self] = state.instances
  const store = { kind: 'redis', isReachable: true, breaker: 'closed' }
  const named = (host, pid, latencyMs, seconds) => ({
    ...self, id: `${host}:${pid}:0`, host, pid, seenAtMs: state.atMs - seconds * 1000, store: { ...self.store, ...store, latencyMs }
  })
  const instances = [
    named('web-1', 4711, { p50: 0.31, p99: 1.2 }, 0), named('web-2', 4688, { p50: 0.34, p99: 1.9 }, 4), named('web-3', 3920, { p50: 0.3, p99: 1.4 }, 7)
  ]
  return { ...state, self: instances[0].id, instances, fleet: { isShared: true, problem: null, skipped: 0 } }
}

/** `last`: the section that the picture ends with; without it, all that is visible. */
async function take (page, name, [first, last] = []) {
  const [top, bottom] = first === undefined ? [] : [await boxOf(page, first), await boxOf(page, last)]
  const clip = first && { x: 0, y: top.y - MARGIN, width: WIDTH, height: bottom.y + bottom.height + 2 * MARGIN - top.y }
  const path = `${IMAGES}${name}.png`
  await page.screenshot({ path, clip })
  execFileSync('pngquant', ['--quality=60-95', '--speed=1', '--strip', '--force', '--ext=.png', path])
  console.log(`${name}.png: ${Math.round(statSync(path).size / 1000)} kB`)
}

async function boxOf (page, selector) {
  const box = await page.locator(selector).boundingBox()
  return { y: Math.max(MARGIN, box.y), height: box.height }
}

mkdirSync(IMAGES, { recursive: true })
const { url, close } = await openShop(NOW_MS)
const browser = await chromium.launch({ executablePath: PROGRAM })
for (const colorScheme of ['light', 'dark']) {
  const context = await browser.newContext({ colorScheme, viewport: { width: WIDTH, height: 2800 }, timezoneId: 'UTC', reducedMotion: 'reduce' })
  const page = await context.newPage()
  await page.clock.setFixedTime(NOW_MS)
  await page.route('**/page/data', async (route) => {
    const response = await route.fetch()
    await route.fulfill({ response, json: asFleet(await response.json()) })
  })
  await page.goto(url)
  await page.getByRole('button', { name: CLIENT }).first().waitFor()
  await take(page, `operator-page-${colorScheme}`, ['.top', '#limits'])
  if (colorScheme === 'light') {
    await page.getByRole('button', { name: 'Most refusals' }).click()
    await take(page, 'operator-page-clients', ['.columns', '#instances'])
    await page.setViewportSize({ width: WIDTH, height: 700 })
    await page.getByRole('button', { name: CLIENT }).first().click()
    await page.getByRole('dialog').getByRole('row').nth(1).waitFor()
    await take(page, 'operator-page-client')
    await page.keyboard.press('Escape')
    await page.getByRole('button', { name: /^What if rate of route:GET \/search/ }).click()
    await page.getByRole('dialog').getByRole('row').nth(5).waitFor()
    await take(page, 'operator-page-what-if')
  }
  await context.close()
}
await browser.close()
await close()
