// PostgreSQL for the Node servers, with the driver that DRIVER names: which is the quicker one varies, so one server is
// measured with both.
import { readFileSync } from 'node:fs'

const { run, connect } = await import(`./driver_${process.env.DRIVER ?? 'postgres'}.mjs`)
const MOST = 101
const source = readFileSync(new URL('statements.sql', import.meta.url), 'utf8').replace(/^--(?! name).*\n/gm, '')
const texts = new Map(source.split(/^-- name: /m).slice(1).map(part => {
  const end = part.indexOf('\n')
  return [part.slice(0, part.indexOf(' ')), part.slice(end).trim()]
}))
const sized = new Map()
let sent = 0

/** The rows of the named statement; `limit` is for those that have one. */
export function ask (name, values, limit = null) {
  sent += 1
  if (limit === null) return run(name, texts.get(name), values)
  const key = `${name}_${limit}`
  if (!sized.has(key)) {
    if (!(Number.isInteger(limit) && limit >= 0 && limit <= MOST)) throw new RangeError('limit is too large')
    sized.set(key, texts.get(name).replaceAll('{limit}', limit))
  }
  return run(key, sized.get(key), values)
}

/** How many statements have been sent. */
export const statementsSent = () => sent

export { connect }
