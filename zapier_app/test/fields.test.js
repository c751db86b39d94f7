'use strict';

// Input fields that appear by choice, and what becomes of what is entered.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { triggers } = require('../catalogue.json');
const { asked, fieldsNow, filters } = require('../lib/fields');

const named = (key) => triggers.find((trigger) => trigger.key === key);
const fields = (key, inputData = {}) => Object.fromEntries(fieldsNow(named(key), null, { inputData }).map((field) => [field.key, field]));

describe('fields that appear by choice', () => {
  test('who is watched is asked for in the way that is chosen', () => {
    const shown = (watch) => ['tokens', 'category', 'exchange', 'top'].filter((key) => key in fields('grade_changed', { watch }));
    assert.deepEqual(['tokens', 'category', 'exchange', 'top', 'any'].map(shown), [['tokens'], ['category'], ['exchange'], ['top'], []]);
    assert.deepEqual([fields('grade_changed').tokens.list, fields('grade_changed').tokens.dynamic], [true, 'list_tokens.id.name']);
    assert.ok(!('watch' in fields('token_listed')));
  });

  test('a metric brings its unit and a sensible level', () => {
    const level = (metric) => {
      const { label, placeholder } = fields('risk_threshold', { metric }).worse_than;
      return [label, placeholder];
    };
    assert.deepEqual(level('value_at_risk'), ['Worse Than (% lost)', '5']);
    assert.deepEqual(level('volatility'), ['Worse Than (%)', '80']);
    assert.deepEqual(level('beta'), ['Worse Than (ratio)', '1.5']);
    assert.deepEqual(fields('risk_threshold').worse_than.dependsOn, ['metric']);
  });

  test('what has no meaning beside a choice is not asked for', () => {
    const seen = (key, given, ...names) => names.filter((name) => name in fields(key, given));
    assert.deepEqual(seen('price_moved', {}, 'percent', 'multiple'), ['percent']);
    assert.deepEqual(seen('price_moved', { measure: 'usual_move' }, 'percent', 'multiple'), ['multiple']);
    assert.deepEqual(seen('volume_changed', {}, 'flat_days'), []);
    for (const yes of [true, 'true', 'True']) assert.deepEqual(seen('volume_changed', { flat_only: yes }, 'flat_days'), ['flat_days']);
    assert.deepEqual(seen('grade_threshold', { preset: 'own' }, 'level', 'direction'), ['level', 'direction']);
  });

  test('the fields of the source that is chosen are offered', () => {
    const offered = (source) => fields('new_reading', { source }).field.choices.map(({ value }) => value);
    assert.ok(offered('quantmetrics').includes('sharpe'));
    assert.deepEqual(offered('prices'), ['price']);
  });

  test('a preset shows what it stands for', () => {
    const [{ label, options }] = named('sharpe_threshold').presets;
    const { level, direction } = fields('sharpe_threshold', { start_from: label });
    assert.deepEqual([level.placeholder, direction.placeholder], [String(options.level), 'Up']);
  });
});

describe('what is entered', () => {
  test('becomes options and scope; what is left empty is left out', () => {
    const given = { watch: 'tokens', tokens: ['3375', '3306'], grade: 'investor', points: 15, hysteresis: '', window: null };
    assert.deepEqual(asked(named('grade_changed'), given), {
      options: { grade: 'investor', points: 15 },
      scope: { tokens: '3375,3306' },
    });
  });

  test('changes a preset, and what is not shown any more does not count', () => {
    const { label } = named('price_moved').presets.find(({ options }) => options.measure === 'usual_move');
    assert.deepEqual(filters(named('price_moved'), { watch: 'any', start_from: label, multiple: 4, percent: 20 }), {
      period: '24h',
      measure: 'usual_move',
      multiple: 4,
    });
    const percent = filters(named('price_moved'), { watch: 'any', start_from: label, measure: 'percent', percent: 20 });
    assert.deepEqual(percent, { period: '24h', measure: 'percent', percent: 20 });
  });

  test('a preset that is not there any more is said, and nothing else is watched in its place', () => {
    assert.throws(() => asked(named('grade_changed'), { watch: 'any', start_from: 'Of old' }), /no Of old any more/);
  });

  test('never watches everyone because a field was left empty', () => {
    for (const given of [{}, { watch: 'tokens', tokens: [] }, { watch: 'top' }, { watch: 'category', category: '' }]) {
      assert.throws(() => asked(named('grade_changed'), given), /Nobody is watched/);
    }
    assert.deepEqual(asked(named('grade_changed'), { watch: 'any' }).scope, {});
    assert.deepEqual(asked(named('sentiment_changed'), {}).scope, {});
  });

  test('several choices of a list are written with commas', () => {
    assert.equal(filters(named('dual_grade'), { watch: 'any', regimes: ['both_high', 'avoid'] }).regimes, 'both_high,avoid');
  });
});
