// The one script of the site: everything runs after each instant navigation, or once under another theme.

import { scanNames } from "./accessibility.js";
import { scanSelector } from "./choose.js";
import { scanGranules } from "./granules.js";
import { retheme, scanPlots } from "./plots.js";
import { scanStations } from "./stations.js";
import { scanTables } from "./tables.js";
import { scanVersions } from "./versions.js";

const scan = () => {
  document.documentElement.classList.add("scripted");
  scanPlots();
  scanStations();
  scanSelector();
  scanVersions();
  scanGranules();
  scanTables();
  scanNames();
};

if (window.document$) window.document$.subscribe(scan);
else if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", scan);
else scan();

new MutationObserver(retheme).observe(document.body, { attributes: true, attributeFilter: ["data-md-color-scheme"] });
