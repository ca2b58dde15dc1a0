// What the loaders of both Node servers do: many keys to a Map of answers, with one statement.
import { ask } from './database.mjs'

const one = name => async ids => {
  const rows = await ask(name, [distinct(ids)])
  return new Map(rows.map(row => [row.id, row]))
}

const counted = (name, column) => async ids => {
  const rows = await ask(name, [distinct(ids)])
  return new Map(rows.map(row => [row.companyId, row[column]]))
}

const listed = name => async (ids, limit) => {
  const lists = new Map()
  for (const row of await ask(name, [distinct(ids)], limit)) {
    const list = lists.get(row.companyId)
    if (list === undefined) lists.set(row.companyId, [row])
    else list.push(row)
  }
  return lists
}

const distinct = ids => [...new Set(ids)].filter(id => id !== null)

export const companies = one('companies')
export const contacts = one('contacts')
export const deals = one('deals')
export const stages = one('stages')
export const users = one('users')
export const contactCounts = counted('contact_counts', 'contacts')
export const dealValues = counted('deal_values', 'value')
export const dealsOfCompanies = listed('deals_of_companies')
export const contactsOfCompanies = listed('contacts_of_companies')
