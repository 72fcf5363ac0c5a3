import { existsSync, readdirSync } from 'node:fs'
import t from 'tap'
import { readPage, root } from './snippets.js'

const pages = ['README.md', 'CONTRIBUTING.md', ...readdirSync(new URL('docs', root)).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)]

/** How GitHub names a heading in a URL. */
function anchorOf (heading: string): string {
  return heading.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-')
}

function anchorsIn (page: string): string[] {
  return [...readPage(page).replace(/^```[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => anchorOf(heading))
}

const manifest: { homepage: string, files: string[] } = JSON.parse(readPage('package.json'))

/** Files of the repository by their address: pages that are installed link to those that are not. */
const FILES = `${manifest.homepage.replace('#readme', '')}/blob/main/`

for (const page of pages) {
  t.test(`what ${page} links to is there`, async (t) => {
    for (const [, inText, ofPicture] of readPage(page).replaceAll(`](${FILES}`, '](/').matchAll(/\]\((?!https?:)([^)\s]+)\)|src(?:set)?="(.+?)"/g)) {
      const link = inText ?? ofPicture
      const [path, anchor] = link.split('#')
      const target = path === '' ? page : new URL(path, new URL(page, 'https://docs/')).pathname.slice(1)
      t.ok(existsSync(new URL(target, root)), link)
      if (anchor !== undefined) t.ok(anchorsIn(target).includes(anchor), link)
    }
  })
}

t.test('what is installed links to what is installed too, or to an address', async (t) => {
  const installed = ['README.md', 'LICENSE', ...manifest.files]
  for (const page of installed.filter((path) => path.endsWith('.md'))) {
    for (const [, link] of readPage(page).matchAll(/\]\((?!https?:|#)([^)\s]+)\)/g)) t.ok(installed.includes(link), `${page}: ${link}`)
  }
})
