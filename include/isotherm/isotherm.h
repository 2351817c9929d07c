// All of Isotherm's public interface.
#pragma once

#include "isotherm/backup.h"
#include "isotherm/blob_store.h"
#include "isotherm/collection.h"
#include "isotherm/compaction.h"
#include "isotherm/context.h"
#include "isotherm/events.h"
#include "isotherm/limits.h"
#include "isotherm/memory.h"
#include "isotherm/metering.h"
#include "isotherm/metrics.h"
#include "isotherm/options.h"
#include "isotherm/query.h"
#include "isotherm/row.h"
#include "isotherm/status.h"
#include "isotherm/stores.h"
