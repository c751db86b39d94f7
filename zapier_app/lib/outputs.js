'use strict';

// From the catalogue's payload to output fields: labels with units, types, and the columns of line items.

const { labelled, words } = require('./words');

const TYPES = { string: 'string', number: 'number', integer: 'integer', boolean: 'boolean' };

const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);

const plain = (field, prefix = '', title = '') => ({
  key: `${prefix}${field.key}`,
  label: `${title}${labelled(field.label, field.unit)}`,
  type: field.format === 'date-time' ? 'datetime' : TYPES[field.type] || 'string',
});

/** The fields of one field of the payload: of a list its line items', of an object those that the sample has. */
const fieldsOf = (field, value) => {
  if (field.type === 'array') {
    const columns = field.fields || [];
    if (!columns.length) return [{ key: field.key, label: field.label, list: true }];
    return columns.filter(({ type }) => type in TYPES).map((column) => plain(column, `${field.key}[]`, `${field.label}: `));
  }
  if (field.type === 'object') return isObject(value) ? parts(field, value) : [{ key: field.key, label: field.label }];
  return [plain(field)];
};

const parts = (field, value) =>
  Object.entries(value).flatMap(([name, part]) => {
    const title = `${field.label}: ${words(name)}`;
    if (!isObject(part)) return [{ key: `${field.key}__${name}`, label: title, type: typeOf(part) }];
    return Object.entries(part).map(([key, inner]) => ({
      key: `${field.key}__${name}__${key}`,
      label: key === 'value' ? title : `${title}, ${words(key)}`,
      type: key === 'as_of' ? 'datetime' : typeOf(inner),
    }));
  });

const typeOf = (value) => (typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : 'string');

/** The output fields of objects like a sample, described by fields of the catalogue. */
const outputFields = (described, sample) => described.flatMap((field) => fieldsOf(field, sample[field.key]));

module.exports = { outputFields };
