// The trace types that the pages use; a type that is missing here is drawn as `scatter` without a word.
"use strict";

const Plotly = require("plotly.js/lib/core");

Plotly.register([
  require("plotly.js/lib/scatter"),
  require("plotly.js/lib/bar"),
  require("plotly.js/lib/box"),
  require("plotly.js/lib/heatmap"),
  require("plotly.js/lib/histogram"),
  require("plotly.js/lib/scattergeo"),
  require("plotly.js/lib/choropleth"),
  require("plotly.js/lib/scatterpolar"),
]);

module.exports = Plotly;
