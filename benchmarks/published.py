"""Published data sets that the gates and the tests of `analysis` both read, and their sources."""

from __future__ import annotations

# R's `sleep`: Student (1908), Biometrika 6, p. 20.
SLEEP_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SLEEP_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]

# Dunnett (1955), JASA 50, 1096-1121, table 1: red and white blood counts of animals on two drugs.
BLOOD = {
    "baseline": [7.40, 8.50, 7.20, 8.24, 9.84, 8.32],
    "drug A": [9.76, 8.80, 7.68, 9.36],
    "drug B": [12.80, 9.68, 12.16, 9.20, 10.55],
}

# lme4, Dyestuff: Davies and Goldsmith (1972), table 6.3; six batches, five preparations of each.
DYESTUFF = [
    *(1545, 1440, 1440, 1520, 1580, 1540, 1555, 1490, 1560, 1495, 1595, 1550, 1605, 1510, 1560),
    *(1445, 1440, 1595, 1465, 1545, 1595, 1630, 1515, 1635, 1625, 1520, 1455, 1450, 1480, 1445),
]

# Montgomery, Design and Analysis of Experiments, the filtration rate experiment, standard order.
FILTRATION = [45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96]
